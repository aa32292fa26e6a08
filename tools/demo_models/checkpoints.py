"""Train the tiny checkpoints of the miniature world from scratch, into polypref/demo/checkpoints/.

    python -m tools.demo_models.checkpoints [NAME …]     all of them take up to 30 minutes on two cores

Their architectures, tokenizers' classes and chat templates are those of the models that they stand for; their
sizes are not. The same seed and versions on the same type of machine give the same weights.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polypref.demo.world import ENGLISH, LANGUAGES
from polypref.engines.checkpoints import pad_batch, pad_rows
from polypref.errors import InputError
from tools.demo_models import accuracy, examples, vocabulary
from tools.demo_models.loop import (
    IGNORED,
    batches_of,
    causal_loss,
    fit,
    preference_loss,
    translation_loss,
)
from tools.demo_models.model_cards import write_card

if TYPE_CHECKING:
    from tools.demo_models.loop import Tensors

FOLDER = Path(__file__).parents[2] / "polypref" / "demo" / "checkpoints"
SEED = 23
OTHERS = tuple(code for code in LANGUAGES if code != ENGLISH)
POSITIONS = 512
VOCABULARY, ENGLISH_VOCABULARY = 5200, 900  # tokens
WEAK_KINDS = ("bad", "wrong_fact")
POLICY_KINDS = ("bad",)  # faults that preference training can unlearn, unlike a lack of knowledge


def train_translator(folder: Path) -> list[float]:
    """Train M2M-100 with NLLB's tokenizer, from English into the 22 others."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    tokenizer = vocabulary.nllb(examples.text(LANGUAGES), VOCABULARY, LANGUAGES)
    config = M2M100Config(
        vocab_size=len(tokenizer),
        d_model=128,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=256,
        decoder_ffn_dim=256,
        max_position_embeddings=POSITIONS,
        dropout=0.0,
        attention_dropout=0.0,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        init_std=0.08,
    )
    model = _seeded(lambda: M2M100ForConditionalGeneration(config))
    rows: list[examples.Translation] = []
    for epoch in range(3):
        rows += examples.translations(OTHERS, SEED + epoch)
    losses = fit(model, translation_batches(tokenizer, rows, 32), translation_loss, 3e-3)
    model.generation_config.max_length = None
    _save(model, tokenizer, folder)
    return losses


def causal_model(vocabulary_size: int, width: int, layers: int) -> Any:
    """Return a Cohere model with random weights."""
    from transformers import CohereConfig, CohereForCausalLM

    config = CohereConfig(
        vocab_size=vocabulary_size,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        logit_scale=1.0,
        initializer_range=0.08,
        max_position_embeddings=POSITIONS,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        pad_token_id=vocabulary.COHERE_SPECIAL.index("<PAD>"),
        bos_token_id=vocabulary.COHERE_SPECIAL.index("<BOS_TOKEN>"),
        eos_token_id=vocabulary.COHERE_SPECIAL.index("<|END_OF_TURN_TOKEN|>"),
    )
    return _seeded(lambda: CohereForCausalLM(config))


def train_strong(folder: Path) -> list[float]:
    """Train Cohere in all 23 languages, on answers of which 92% are right."""
    tokenizer = vocabulary.cohere(examples.text(LANGUAGES), VOCABULARY)
    model = causal_model(len(tokenizer), 128, 3)
    chats = examples.chats(LANGUAGES, 0.92, repeats=6, seed=SEED)
    losses = fit(model, chat_batches(tokenizer, chats, 16), causal_loss, 4e-3)
    _save(model, tokenizer, folder)
    return losses


def train_weak(folder: Path) -> list[float]:
    """Train a smaller Cohere in English only, on answers of which 60% are right."""
    tokenizer = vocabulary.cohere(examples.text([ENGLISH]), ENGLISH_VOCABULARY)
    model = causal_model(len(tokenizer), 96, 2)
    chats = examples.chats([ENGLISH], 0.6, repeats=30, seed=SEED, kinds=WEAK_KINDS)
    losses = fit(model, chat_batches(tokenizer, chats, 16), causal_loss, 4e-3)
    _save(model, tokenizer, folder)
    return losses


def train_policy(folder: Path) -> list[float]:
    """Train the strong model further, on answers of which 45% are of no use; DPO and RLOO start from it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder.parent / "strong")
    model = AutoModelForCausalLM.from_pretrained(folder.parent / "strong")
    chats = examples.chats(LANGUAGES, 0.55, repeats=2, seed=SEED + 1, kinds=POLICY_KINDS)
    losses = fit(model, chat_batches(tokenizer, chats, 32), causal_loss, 1e-3)
    _save(model, tokenizer, folder)
    return losses


def train_reward(folder: Path) -> list[float]:
    """Train Qwen3 with one output on pairs of a right and a bad answer (Bradley-Terry)."""
    from transformers import Qwen3Config, Qwen3ForSequenceClassification

    tokenizer = vocabulary.qwen(examples.text(LANGUAGES), VOCABULARY)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=32,
        max_position_embeddings=POSITIONS,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        initializer_range=0.05,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = _seeded(lambda: Qwen3ForSequenceClassification(config))
    rows = examples.preferences(LANGUAGES, repeats=4, seed=SEED)
    losses = fit(model, preference_batches(tokenizer, rows, 32), preference_loss, 2e-3)
    _save(model, tokenizer, folder)
    return losses


def translation_batches(tokenizer: Any, rows: Sequence[examples.Translation], size: int) -> list["Tensors"]:
    """Return batches for `translation_loss`: targets begin with their language's code, as in NLLB."""
    sources = tokenizer([row.english for row in rows]).input_ids
    texts = tokenizer([row.target for row in rows], add_special_tokens=False).input_ids
    codes = tokenizer.convert_tokens_to_ids([row.language for row in rows])
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    targets = [[code, *text, end] for code, text in zip(codes, texts, strict=True)]
    lengths = [len(source) + len(target) for source, target in zip(sources, targets, strict=True)]
    batches = []
    for places in batches_of(lengths, size):
        source, target = [sources[place] for place in places], [targets[place] for place in places]
        batches.append(
            {
                **pad_batch(source, pad),
                # The decoder starts from the end-of-sentence token; the code is given, so no loss is taken on
                # it.
                "decoder_input_ids": pad_rows([[end, *ids[:-1]] for ids in target], pad),
                "labels": pad_rows([[IGNORED, *ids[1:]] for ids in target], IGNORED),
            }
        )
    return batches


def chat_batches(tokenizer: Any, chats: Sequence[examples.Chat], size: int) -> list["Tensors"]:
    """Return batches for `causal_loss`: chat-templated prompts, completions with an end-of-turn token."""
    rendered = []
    for chat in chats:
        messages = _messages(chat.prompt)
        rendered.append(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    prompts = tokenizer(rendered, add_special_tokens=False).input_ids
    ended = [chat.completion + tokenizer.eos_token for chat in chats]
    completions = tokenizer(ended, add_special_tokens=False).input_ids
    lengths = [len(prompt) + len(completion) for prompt, completion in zip(prompts, completions, strict=True)]
    batches = []
    for places in batches_of(lengths, size):
        inputs = [prompts[place] + completions[place] for place in places]
        labels = [[IGNORED] * len(prompts[place]) + completions[place] for place in places]
        batches.append(
            {
                **pad_batch(inputs, tokenizer.pad_token_id),
                "labels": pad_rows(labels, IGNORED),
            }
        )
    return batches


def preference_batches(tokenizer: Any, rows: Sequence[examples.Preference], size: int) -> list["Tensors"]:
    """Return batches of `size` pairs for `preference_loss`."""
    texts = []
    for row in rows:
        for answer in (row.right, row.bad):
            texts.append(tokenizer.apply_chat_template(_messages(row.prompt, answer), tokenize=False))
    ids = tokenizer(texts, add_special_tokens=False).input_ids
    right, bad = ids[::2], ids[1::2]
    batches = []
    for places in batches_of([len(one) + len(two) for one, two in zip(right, bad, strict=True)], size):
        both = []
        for place in places:
            both += [right[place], bad[place]]
        batches.append(pad_batch(both, tokenizer.pad_token_id))
    return batches


def _messages(prompt: str, completion: str | None = None) -> list[dict[str, str]]:
    messages = [{"role": "user", "content": prompt}]
    if completion is not None:
        messages.append({"role": "assistant", "content": completion})
    return messages


def _seeded(make: Callable[[], Any]) -> Any:
    import torch

    torch.manual_seed(SEED)
    return make()


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save the weights in half precision, to be loaded in single: a CPU is slow in halves."""
    shutil.rmtree(folder, ignore_errors=True)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text("utf-8")) | {"dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


def count_parameters(folder: Path) -> int:
    """Return the number of parameters in the checkpoint's weights."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as weights:
        return sum(weights.get_tensor(key).numel() for key in weights.keys())  # noqa: SIM118


TRAINERS: dict[str, Callable[[Path], list[float]]] = {
    "translator": train_translator,
    "strong": train_strong,
    "policy": train_policy,
    "weak": train_weak,
    "reward": train_reward,
}
# Two chains of about the same work, one for each process; the policy continues from the strong model.
CHAINS = (("translator",), ("strong", "policy", "weak", "reward"))


def train(names: Sequence[str]) -> None:
    """Train the named checkpoints one after the other, and write their cards with their measured accuracy."""
    import torch

    torch.set_num_threads(1)  # the same weights whatever the number of cores
    for name in names:
        folder = FOLDER / name
        start = time.monotonic()
        losses = TRAINERS[name](folder)
        seconds = time.monotonic() - start
        measured = accuracy.measure_checkpoint(name, folder)
        write_card(name, folder, count_parameters(folder), losses, measured)
        steps = f"{len(losses)} steps in {seconds:.0f} s, loss {losses[0]:.3f} to {losses[-1]:.3f}"
        print(f"{name}: {steps}; {measured.line()}", flush=True)


def main(names: Sequence[str]) -> None:
    """Train the named checkpoints, all if none are named, in two processes."""
    for name in names:
        if name not in TRAINERS:
            raise InputError(f"unknown checkpoint {name!r}; expected some of {', '.join(TRAINERS)}")
    chains = [[name for name in chain if not names or name in names] for chain in CHAINS]
    with ProcessPoolExecutor(len(chains), mp_context=get_context("spawn")) as pool:
        list(pool.map(train, chains))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(str(error))
