"""The fixed columns of every table, the keys that rows keep for life, and the hashes behind ids and splits.

`cast` is called on every write: one extra column in one language breaks `load_dataset` of all of them.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

import polars as pl

from polypref.errors import InputError

SCHEMA_VERSION = 2  # of the published tables, stated in facts.json; raised when a column changes its meaning

NO_LANGUAGE = "und"  # the ISO 639-3 code of undetermined languages, for rows whose language is not known

Message = Mapping[str, str]  # {"role": "user" | "assistant" | "system", "content": text}

MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
MEASURES = pl.List(pl.Struct({"name": pl.String, "value": pl.Float64}))

PROMPT_KEY = ("prompt_id", "language")
COMPLETION_KEY = (*PROMPT_KEY, "generator", "origin", "sample")
KEYS = {
    "prompts": PROMPT_KEY,
    "completions": COMPLETION_KEY,
    "scores": (*COMPLETION_KEY, "scorer"),
    "pairs": (*PROMPT_KEY, "builder", "rank"),
    "ranked": (*PROMPT_KEY, "builder", "rank"),
    "candidates": COMPLETION_KEY,
    "rejected": (*PROMPT_KEY, "stage", "generator", "origin", "sample"),
}

_PROMPT: dict[str, pl.DataType | type[pl.DataType]] = {"prompt_id": pl.String, "language": pl.String}
_COMPLETION = {**_PROMPT, "generator": pl.String, "origin": pl.String, "sample": pl.Int32}
_PAIR = {
    **_PROMPT,
    "builder": pl.String,
    "rank": pl.Int32,
    "prompt": MESSAGES,
    "chosen": MESSAGES,
    "rejected": MESSAGES,
    "chosen_model": pl.String,
    "rejected_model": pl.String,
    "chosen_origin": pl.String,
    "rejected_origin": pl.String,
    "chosen_sample": pl.Int32,
    "rejected_sample": pl.Int32,
    "chosen_score": pl.Float64,
    "rejected_score": pl.Float64,
    "margin": pl.Float64,
    "chosen_tokens": pl.Int32,
    "rejected_tokens": pl.Int32,
}

TABLES: dict[str, pl.Schema] = {
    "prompts": pl.Schema(
        {
            **_PROMPT,
            "prompt": MESSAGES,
            "prompt_en": MESSAGES,
            "source": pl.String,
            "source_id": pl.String,
            "translator": pl.String,
            "measures": MEASURES,
            "rejected_by": pl.String,
        }
    ),
    "completions": pl.Schema(
        {
            **_COMPLETION,
            "completion": pl.String,
            "pivot_language": pl.String,
            "finish_reason": pl.String,
            "tokens": pl.Int32,
            "measures": MEASURES,
            "rejected_by": pl.String,
        }
    ),
    "scores": pl.Schema({**_COMPLETION, "scorer": pl.String, "score": pl.Float64}),
    "pairs": pl.Schema(_PAIR),
    # Pairs in the work dir: a prompt without a pair says why.
    "ranked": pl.Schema({**_PAIR, "rejected_by": pl.String}),
    # Published completions, with their prompt and the scores of every scorer; rank 1 has the highest score.
    # Prompt and completion are messages, which TRL's SFTTrainer takes.
    "candidates": pl.Schema(
        {
            **_COMPLETION,
            "prompt": MESSAGES,
            "completion": MESSAGES,
            "scores": MEASURES,
            "rank": pl.Int32,
            "pivot_language": pl.String,
            "finish_reason": pl.String,
            "tokens": pl.Int32,
            "measures": MEASURES,
        }
    ),
    # Rows that were left out, as they are published: prompts, completions, and prompts without a pair.
    "rejected": pl.Schema(
        {
            **_PROMPT,
            "stage": pl.String,
            "generator": pl.String,
            "origin": pl.String,
            "sample": pl.Int32,
            "rejected_by": pl.String,
            "messages": MESSAGES,
            "measures": MEASURES,
        }
    ),
}


def cast(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """Return `frame` with exactly the columns of `table`, in their types, sorted by its key.

    Raises InputError if a column is missing or several rows have the same key.
    """
    schema, key = TABLES[table], list(KEYS[table])
    for name in schema:
        if name not in frame.columns:
            raise InputError(f"{table}: missing column {name!r}; found {', '.join(frame.columns)}")
    frame = frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).sort(key)
    repeated = frame.filter(frame.select(key).is_duplicated())
    if not repeated.is_empty():
        values = " ".join(map(str, repeated.select(key).row(0)))
        raise InputError(f"{table}: several rows have the key {values}; every row needs its own")
    return frame


def normalised(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Return messages in NFC and trimmed, so that the same prompt typed twice is one prompt."""
    return [
        {"role": m["role"], "content": unicodedata.normalize("NFC", m["content"]).strip()} for m in messages
    ]


_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def hash16(value: object) -> str:
    """Return 16 hex digits of the SHA-256 of a value's canonical JSON."""
    return _sha256(value)[:16]


def hash32(value: object) -> str:
    """Return 32 hex digits (128 bits) of the same SHA-256, for keys of which there are very many."""
    return _sha256(value)[:32]


def _sha256(value: object) -> str:
    # surrogatepass: texts from JSON may hold lone surrogates, which plain UTF-8 refuses.
    return hashlib.sha256(_CANONICAL.encode(value).encode("utf-8", "surrogatepass")).hexdigest()


def prompt_id(messages: Sequence[Message], language: str = "eng_Latn") -> str:
    """Return the id that a prompt has in every language: a hash of its English messages.

    Without an English original, pass the messages in their `language`: the hash is then over
    ('native', language, messages).
    """
    messages = normalised(messages)
    return hash16(messages if language == "eng_Latn" else ["native", language, messages])


def uniform(prompt_id: str, salt: str) -> float:
    """Return a number in [0, 1) drawn by hashing: the same on every machine and in every language."""
    return int(hash16([salt, prompt_id]), 16) / 16**16


@lru_cache(maxsize=100_000)  # the same prompt is looked up once per language
def split_of(prompt_id: str, test_share: float) -> str:
    """Return `test` for a share of the prompts and `train` for the rest, the same in every language."""
    return "test" if uniform(prompt_id, "split") < test_share else "train"
