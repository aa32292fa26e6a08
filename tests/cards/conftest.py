"""Synthetic pairs, small and different in every language."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from cards.languages import PAPER_23
from cards.tables import prompt_id, rows_to_frame


def messages(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def make_pairs(language: str, n: int, salt: str = "", start: int = 0) -> pl.DataFrame:
    """`n` pairs about the English prompts `start`, `start` + 1, …; every third one was won by the translated completion."""
    first, second = ("strong", "native"), ("weak", "translated")
    shift = PAPER_23.index(language) / 10 if language in PAPER_23 else 5.0
    rows = []
    for i in range(start, start + n):
        chosen, rejected = (second, first) if i % 3 == 0 else (first, second)
        rows.append(
            {
                "prompt_id": prompt_id(messages("user", f"Question {i}")),
                "language": language,
                "builder": "native-vs-translated",
                "rank": 0,
                "prompt": messages("user", f"{language}: {i}?"),
                "chosen": messages("assistant", f"{language} {salt} " + "é" * (i % 17)),
                "rejected": messages("assistant", "…" * (1 + i % 5)),
                "chosen_model": chosen[0],
                "rejected_model": rejected[0],
                "chosen_origin": chosen[1],
                "rejected_origin": rejected[1],
                "chosen_score": shift + (i * 7 % 23) / 4,
                "rejected_score": shift - 1 - (i * 5 % 19) / 8,
                "margin": 1 + (i * 7 % 23) / 4 + (i * 5 % 19) / 8,
            }
        )
    return rows_to_frame(rows, "pairs")


def make_facts(languages: list[str], **changes: Any) -> dict[str, Any]:
    model = {"role": "translator", "name": "small", "model": "facebook/nllb-200-distilled-600M", "revision": "f" * 40}
    funnel = {"prompts in": 90, "wrong_language": 7, "too_long": 3}
    return {
        "name": "acme/pairs",
        "title": "Pairs for tests",
        "license": "apache-2.0",
        "test_share": 0.1,
        "recipe": "name: test\nprice: $1\n",
        "models": [model],
        "sources": ["questions with numbers"],
        "notes": ["These rows are synthetic."],
        "languages": {code: {"funnel": {**funnel, "ties": i}} for i, code in enumerate(languages)},
        **changes,
    }


@pytest.fixture
def pairs() -> Callable[..., pl.DataFrame]:
    return make_pairs


@pytest.fixture
def facts() -> Callable[..., dict[str, Any]]:
    return make_facts
