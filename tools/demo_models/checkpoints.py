"""Trains the tiny checkpoints of the miniature world from scratch: `python -m tools.demo_models.checkpoints [NAME …]` writes polypref/demo/checkpoints/.

Their architectures, tokenizers' classes and chat templates are those of the models that they stand for; their size is not.
The same seed and versions on the same type of machine give the same weights.
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
from polypref.errors import InputError
from tools.demo_models import accuracy, examples, vocabulary
from tools.demo_models.loop import batches_of, causal_loss, fit, padded, preference_loss, translation_loss
from tools.demo_models.model_cards import write_card

if TYPE_CHECKING:
    from tools.demo_models.loop import Tensors

FOLDER = Path(__file__).parents[2] / "polypref" / "demo" / "checkpoints"
SEED = 23
OTHERS = tuple(code for code in LANGUAGES if code != ENGLISH)
POSITIONS = 512
WEAK_KINDS = ("bad", "wrong_fact")
POLICY_KINDS = ("bad",)  # what preference training can unlearn: not a lack of knowledge


def translator(folder: Path) -> list[float]:
    """M2M-100 with NLLB's tokenizer, English into the 22 others."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    tokenizer = vocabulary.nllb(examples.text(LANGUAGES), 5200, LANGUAGES)
    model = _seeded(
        lambda: M2M100ForConditionalGeneration(
            M2M100Config(
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
        )
    )
    rows = [row for epoch in range(3) for row in examples.translations(OTHERS, SEED + epoch)]
    batches = translation_batches(tokenizer, rows, 32)
    losses = fit(model, batches, translation_loss, 3e-3)
    model.generation_config.max_length = None
    _save(model, tokenizer, folder)
    return losses


def causal_model(vocabulary_size: int, width: int, layers: int) -> Any:
    """A Cohere model with random weights."""
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


def strong(folder: Path) -> list[float]:
    """Cohere in all 23 languages, 92% of its training answers right."""
    tokenizer = vocabulary.cohere(examples.text(LANGUAGES), 5200)
    model = causal_model(len(tokenizer), 128, 3)
    chats = examples.chats(LANGUAGES, 0.92, repeats=6, seed=SEED)
    losses = fit(model, chat_batches(tokenizer, chats, 16), causal_loss, 4e-3)
    _save(model, tokenizer, folder)
    return losses


def weak(folder: Path) -> list[float]:
    """Cohere in English only, smaller, 60% of its training answers right."""
    tokenizer = vocabulary.cohere(examples.text([ENGLISH]), 900)
    model = causal_model(len(tokenizer), 96, 2)
    chats = examples.chats([ENGLISH], 0.6, repeats=30, seed=SEED, kinds=WEAK_KINDS)
    losses = fit(model, chat_batches(tokenizer, chats, 16), causal_loss, 4e-3)
    _save(model, tokenizer, folder)
    return losses


def policy(folder: Path) -> list[float]:
    """The base model that DPO and RLOO start from: the strong one, trained on until half of what it says is of no use."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder.parent / "strong")
    model = AutoModelForCausalLM.from_pretrained(folder.parent / "strong")
    chats = examples.chats(LANGUAGES, 0.55, repeats=2, seed=SEED + 1, kinds=POLICY_KINDS)
    losses = fit(model, chat_batches(tokenizer, chats, 32), causal_loss, 1e-3)
    _save(model, tokenizer, folder)
    return losses


def reward(folder: Path) -> list[float]:
    """Qwen3 with one output, trained on pairs of a right and a bad answer (Bradley-Terry)."""
    from transformers import Qwen3Config, Qwen3ForSequenceClassification

    tokenizer = vocabulary.qwen(examples.text(LANGUAGES), 5200)
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
    """Batches for `translation_loss`."""
    sources = tokenizer([row.english for row in rows]).input_ids
    texts = tokenizer([row.target for row in rows], add_special_tokens=False).input_ids
    codes = tokenizer.convert_tokens_to_ids([row.language for row in rows])
    start = tokenizer.eos_token_id
    targets = [[code, *text, start] for code, text in zip(codes, texts, strict=True)]
    batches = []
    for places in batches_of([len(s) + len(t) for s, t in zip(sources, targets, strict=True)], size):
        source, target = [sources[i] for i in places], [targets[i] for i in places]
        batches.append(
            {
                "input_ids": padded(source, tokenizer.pad_token_id),
                "attention_mask": padded([[1] * len(ids) for ids in source], 0),
                "decoder_input_ids": padded([[start, *ids[:-1]] for ids in target], tokenizer.pad_token_id),
                "labels": padded([[-100, *ids[1:]] for ids in target], -100),
            }
        )
    return batches


def chat_batches(tokenizer: Any, chats: Sequence[examples.Chat], size: int) -> list["Tensors"]:
    """Batches for `causal_loss`: the prompt as the chat template renders it, the completion with its end-of-turn token."""
    asked = [
        tokenizer.apply_chat_template(_messages(c.prompt), tokenize=False, add_generation_prompt=True)
        for c in chats
    ]
    prompts = tokenizer(asked, add_special_tokens=False).input_ids
    answers = tokenizer(
        [c.completion + tokenizer.eos_token for c in chats], add_special_tokens=False
    ).input_ids
    batches = []
    for places in batches_of([len(p) + len(a) for p, a in zip(prompts, answers, strict=True)], size):
        whole = [prompts[i] + answers[i] for i in places]
        batches.append(
            {
                "input_ids": padded(whole, tokenizer.pad_token_id),
                "attention_mask": padded([[1] * len(ids) for ids in whole], 0),
                "labels": padded([[-100] * len(prompts[i]) + answers[i] for i in places], -100),
            }
        )
    return batches


def preference_batches(tokenizer: Any, rows: Sequence[examples.Preference], size: int) -> list["Tensors"]:
    """Batches of `size` pairs for `preference_loss`."""
    texts = [
        tokenizer.apply_chat_template(_messages(r.prompt, a), tokenize=False)
        for r in rows
        for a in (r.right, r.bad)
    ]
    ids = tokenizer(texts, add_special_tokens=False).input_ids
    batches = []
    for places in batches_of(
        [len(right) + len(bad) for right, bad in zip(ids[::2], ids[1::2], strict=True)], size
    ):
        both = [ids[at] for i in places for at in (2 * i, 2 * i + 1)]
        mask = padded([[1] * len(text) for text in both], 0)
        batches.append({"input_ids": padded(both, tokenizer.pad_token_id), "attention_mask": mask})
    return batches


def _messages(prompt: str, completion: str | None = None) -> list[dict[str, str]]:
    said = [] if completion is None else [{"role": "assistant", "content": completion}]
    return [{"role": "user", "content": prompt}, *said]


def _seeded(make: Callable[[], Any]) -> Any:
    import torch

    torch.manual_seed(SEED)
    return make()


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Half precision on disk, single when loaded: a CPU is slow in halves."""
    shutil.rmtree(folder, ignore_errors=True)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text("utf-8")) | {"dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


def parameters(folder: Path) -> int:
    """How many numbers the checkpoint's weights hold."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as weights:
        return sum(weights.get_tensor(key).numel() for key in weights.keys())  # noqa: SIM118


TRAINERS: dict[str, Callable[[Path], list[float]]] = {
    f.__name__: f for f in (translator, strong, policy, weak, reward)
}
SIDE_BY_SIDE = (
    ("translator",),
    ("strong", "policy", "weak", "reward"),
)  # about the same work each; the policy comes after the strong one


def train(names: Sequence[str]) -> None:
    """Trains the named checkpoints one after the other and writes their cards, with what they do on held-out combinations."""
    import torch

    torch.set_num_threads(1)  # the same weights whatever the number of cores
    for name in names:
        began = time.monotonic()
        losses = TRAINERS[name](FOLDER / name)
        trained = time.monotonic() - began
        measured = accuracy.of_checkpoint(name, FOLDER / name)
        write_card(name, FOLDER / name, parameters(FOLDER / name), losses, measured)
        print(
            f"{name}: {len(losses)} steps in {trained:.0f} s, loss {losses[0]:.3f} to {losses[-1]:.3f}; {measured.line()}",
            flush=True,
        )


def main(names: Sequence[str]) -> None:
    """Trains the named checkpoints, all without names, in two processes."""
    if unknown := [name for name in names if name not in TRAINERS]:
        raise InputError(f"unknown checkpoint {unknown[0]!r}; expected some of {', '.join(TRAINERS)}")
    wanted = [[name for name in chain if not names or name in names] for chain in SIDE_BY_SIDE]
    with ProcessPoolExecutor(len(wanted), mp_context=get_context("spawn")) as pool:
        list(pool.map(train, wanted))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(f"{error}")
