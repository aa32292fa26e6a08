"""Tiny checkpoints of the real architectures with random weights, and published synthetic pairs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from polypref.cards.folder import write_dataset
from polypref.schemas import prompt_id
from tests.frames import rows_to_frame

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

LANGUAGES = ("deu_Latn", "eng_Latn", "jpn_Jpan")
WORDS = {
    "deu_Latn": ["Katze", "Hund", "Pferd", "Löwe", "Bär", "Apfel", "Birne", "Kirsche", "Geige", "Flöte"],
    "eng_Latn": ["cat", "dog", "horse", "lion", "bear", "apple", "pear", "cherry", "violin", "flute"],
    "jpn_Jpan": ["猫", "犬", "馬", "獅子", "熊", "林檎", "梨", "桜桃", "提琴", "笛"],
}
ASK = {"deu_Latn": "Wiederhole {n} mal: {w}", "eng_Latn": "Say {n} times: {w}", "jpn_Jpan": "{n}回言って:{w}"}
AYA_TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{{ '<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>' + messages[0]['content'] + '<|END_OF_TURN_TOKEN|>' }}"
    "{% else %}{% set loop_messages = messages %}{% endif %}"
    "{% for message in loop_messages %}{% if message['role'] == 'user' %}"
    "{{ '<|START_OF_TURN_TOKEN|><|USER_TOKEN|>' + message['content'].strip() + '<|END_OF_TURN_TOKEN|>' }}"
    "{% elif message['role'] == 'assistant' %}"
    "{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>'  + message['content'].strip() + '<|END_OF_TURN_TOKEN|>' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}"
)
QWEN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
)
TURNS = [
    "<|START_OF_TURN_TOKEN|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|USER_TOKEN|>",
    "<|CHATBOT_TOKEN|>",
    "<|SYSTEM_TOKEN|>",
]


def message(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def make_pairs() -> pl.DataFrame:
    """Return 90 pairs: 30 prompts in 3 languages.

    The chosen completion repeats a word as often as the prompt asks; the rejected one does it once too often.
    """
    rows = []
    for i, word in enumerate(WORDS["eng_Latn"]):
        for n in (1, 2, 3):
            english = message("user", ASK["eng_Latn"].format(n=n, w=word))
            for code in LANGUAGES:
                local = WORDS[code][i]
                rows.append(
                    {
                        "prompt_id": prompt_id(english),
                        "language": code,
                        "builder": "native-vs-translated",
                        "rank": 0,
                        "prompt": message("user", ASK[code].format(n=n, w=local)),
                        "chosen": message("assistant", " ".join([local] * n)),
                        "rejected": message("assistant", " ".join([local] * (n + 1))),
                        "chosen_model": "strong",
                        "rejected_model": "weak",
                        "chosen_origin": "native",
                        "rejected_origin": "translated",
                        "chosen_score": 1.0 + i,
                        "rejected_score": 0.5,
                        "margin": 0.5 + i,
                    }
                )
    return rows_to_frame(rows, "pairs")


def publish(pairs: pl.DataFrame, folder: Path) -> None:
    """Write the pairs as a published dataset with a fifth of the prompts in the test split."""
    frames = {code: pairs.filter(pl.col("language") == code) for code in LANGUAGES}
    facts = {
        "name": "pairs",
        "title": "Pairs",
        "license": "apache-2.0",
        "test_share": 0.2,
        "recipe": "",
        "models": [],
        "sources": [],
        "notes": [],
    }
    write_dataset(
        folder,
        "pairs",
        frames,
        facts,
    )


def _tokenizer(pairs: pl.DataFrame, special: list[str]) -> "Tokenizer":
    """Return a byte-level BPE tokenizer trained on the pairs."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = pairs["prompt"].explode().struct["content"].to_list()
    texts += pairs["chosen"].explode().struct["content"].to_list()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    )
    return tokenizer


def make_policy(pairs: pl.DataFrame, folder: Path, seed: int = 1) -> None:
    """Save a CohereForCausalLM, 2 layers, 64 wide, with Aya's chat template and turn tokens."""
    import torch
    from transformers import CohereConfig, CohereForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(pairs, ["<PAD>", "<BOS_TOKEN>", *TURNS]),
        bos_token="<BOS_TOKEN>",
        eos_token="<|END_OF_TURN_TOKEN|>",
        pad_token="<PAD>",
        chat_template=AYA_TEMPLATE,
    )
    torch.manual_seed(seed)
    config = CohereConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        logit_scale=1.0,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = CohereForCausalLM(config)
    with torch.no_grad():
        # The head is tied to the embeddings: a longer end token ends some completions within a few tokens.
        model.get_input_embeddings().weight[tokenizer.eos_token_id] *= 8
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A tiny policy\n")


def make_reward_model(pairs: pl.DataFrame, folder: Path) -> None:
    """Save a Qwen3ForSequenceClassification with one output, 2 layers, 32 wide."""
    import torch
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForSequenceClassification

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(pairs, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=QWEN_TEMPLATE,
    )
    torch.manual_seed(2)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        num_labels=1,
        max_position_embeddings=256,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen3ForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def read_log(output: Path) -> list[dict[str, float]]:
    """Return the lines of a checkpoint's training_log.jsonl."""
    return [json.loads(line) for line in (output / "training_log.jsonl").read_text("utf-8").splitlines()]


def read_weights(output: Path) -> "dict[str, torch.Tensor]":
    """Return the weights of a checkpoint or adapter by name."""
    from safetensors.torch import load_file

    return load_file(next(output.glob("*model.safetensors")))


def have_equal_weights(a: Path, b: Path) -> bool:
    """Return whether two checkpoints have the same weights, bit for bit."""
    ours, theirs = read_weights(a), read_weights(b)
    return ours.keys() == theirs.keys() and all((ours[name] == theirs[name]).all() for name in ours)
