"""The committed tiny checkpoints: architectures, sizes and accuracy; and training still learns as it did."""

from pathlib import Path
from typing import Any

import pytest

from polypref.demo import world
from polypref.demo.world import ENGLISH, LANGUAGES
from tools.demo_models import accuracy, checkpoints, examples, vocabulary
from tools.demo_models.loop import causal_loss, fit

ARCHITECTURES = {
    "translator": ("AutoModelForSeq2SeqLM", "M2M100ForConditionalGeneration", "NllbTokenizer"),
    "strong": ("AutoModelForCausalLM", "CohereForCausalLM", "CohereTokenizer"),
    "weak": ("AutoModelForCausalLM", "CohereForCausalLM", "CohereTokenizer"),
    "policy": ("AutoModelForCausalLM", "CohereForCausalLM", "CohereTokenizer"),
    "reward": ("AutoModelForSequenceClassification", "Qwen3ForSequenceClassification", "Qwen2Tokenizer"),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_checkpoint_is_of_the_architecture_that_it_stands_for(name: str) -> None:
    import torch
    import transformers

    auto, architecture, tokenizer_class = ARCHITECTURES[name]
    folder = checkpoints.FOLDER / name
    model = getattr(transformers, auto).from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert type(model).__name__ == model.config.architectures[0] == architecture
    assert type(tokenizer).__name__ == tokenizer_class
    assert model.dtype == torch.float32
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert (name == "translator") == (tokenizer.chat_template is None)


def test_the_weights_are_small() -> None:
    sizes = [path.stat().st_size for path in checkpoints.FOLDER.glob("*/*.safetensors")]
    assert len(sizes) == 5
    assert sum(sizes) <= 12_000_000


def test_cards_have_the_metadata_that_the_hub_asks_for() -> None:
    from huggingface_hub import ModelCard

    for name in ARCHITECTURES:
        card = ModelCard.load(checkpoints.FOLDER / name / "README.md")
        assert card.data.license == "apache-2.0"
        assert len(card.data.language) == (1 if name == "weak" else 23)
        assert "toy" in card.data.tags


def test_chats_are_rendered_as_ayas_template_does() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoints.FOLDER / "policy")
    chat = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "U"},
        {"role": "assistant", "content": "A"},
    ]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == (
        "<BOS_TOKEN><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>S<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>U<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>A<|END_OF_TURN_TOKEN|>"
    )
    encoded = tokenizer.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=True)
    assert encoded["assistant_masks"][-2:] == [1, 1]
    assert sum(encoded["assistant_masks"]) == 2


@pytest.mark.parametrize("name", ["strong", "reward", "translator"])
def test_nothing_is_unknown_and_text_survives_the_tokenizer(name: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoints.FOLDER / name)
    for text in examples.text(LANGUAGES)[::997]:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        assert tokenizer.unk_token_id not in ids or name == "reward"
        if name != "translator" or "\n" not in text:
            assert tokenizer.decode(ids) == text


def test_the_translator_is_right_on_held_out_prompts() -> None:
    items = accuracy.held_out([code for code in LANGUAGES if code != ENGLISH], every=24)
    assert accuracy.measure_translator(checkpoints.FOLDER / "translator", items).share >= BOUNDS["translator"]


@pytest.mark.parametrize(
    ("name", "languages"), [("strong", LANGUAGES), ("policy", LANGUAGES), ("weak", (ENGLISH,))]
)
def test_a_generator_is_as_right_on_held_out_prompts_as_its_role_asks(
    name: str, languages: tuple[str, ...]
) -> None:
    items = accuracy.held_out(languages, every=24 if len(languages) > 1 else 1)
    temperature = 0.3 if name == "strong" else 1.0
    low, high = BOUNDS[name]
    assert low <= accuracy.measure_generator(checkpoints.FOLDER / name, items, temperature).share <= high


def test_the_reward_model_prefers_right_answers() -> None:
    items = accuracy.held_out(LANGUAGES, every=24)
    assert BOUNDS["reward"] <= accuracy.measure_reward(checkpoints.FOLDER / "reward", items).share < 1


def test_ctranslate2_says_what_transformers_says(tmp_path: Path) -> None:
    import ctranslate2
    from ctranslate2.converters import TransformersConverter
    from transformers import AutoTokenizer

    folder = checkpoints.FOLDER / "translator"
    items = accuracy.held_out([code for code in LANGUAGES if code != ENGLISH], every=48)
    sentences, codes = [world.prompt(c, ENGLISH) for c, _ in items], [code for _, code in items]
    expected = accuracy.translate(folder, sentences, codes)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    sources = [tokenizer.convert_ids_to_tokens(tokenizer(sentence).input_ids) for sentence in sentences]
    for quantization, least in (("float32", 0.98), ("int8", 0.9)):
        TransformersConverter(str(folder)).convert(str(tmp_path / quantization), quantization=quantization)
        model = ctranslate2.Translator(str(tmp_path / quantization), intra_threads=1)
        results = model.translate_batch(
            sources, target_prefix=[[code] for code in codes], beam_size=1, max_decoding_length=80
        )
        found = [tokenizer.decode(tokenizer.convert_tokens_to_ids(r.hypotheses[0][1:])) for r in results]
        equal = sum(a.split() == b.split() for a, b in zip(found, expected, strict=True))
        assert equal / len(items) >= least, quantization


def test_training_from_the_seed_goes_the_pinned_way() -> None:
    tokenizer = vocabulary.cohere(examples.text([ENGLISH]), 900)
    model = checkpoints.causal_model(len(tokenizer), 64, 2)
    chats = examples.chats([ENGLISH], 0.9, repeats=3, seed=1)
    losses: list[Any] = fit(model, checkpoints.chat_batches(tokenizer, chats, 32)[:40], causal_loss, 4e-3)
    assert losses[0] == pytest.approx(PINNED[0], rel=1e-3)
    assert sum(losses[-5:]) / 5 == pytest.approx(PINNED[1], rel=2e-2)


BOUNDS: dict[str, Any] = {
    "translator": 0.9,
    "strong": (0.6, 1),
    "policy": (0.2, 0.6),
    "weak": (0.4, 0.75),
    "reward": 0.85,
}
PINNED = (6.9064, 2.178)
