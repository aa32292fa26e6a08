"""What the filters look at: a text, and what it should be."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Subject:
    """A text that should be in `language`, what it was translated from or answers (if anything), and how its generation ended."""

    text: str
    language: str
    source: str | None = None
    finish_reason: str = "stop"
    prompt: str | None = None


COLUMNS = {
    "text": pl.String,
    "language": pl.String,
    "source": pl.String,
    "finish_reason": pl.String,
    "prompt": pl.String,
}


def frame(subjects: Iterable[Subject]) -> pl.DataFrame:
    """Subjects as the columns that the filters work on."""
    return pl.DataFrame([astuple(subject) for subject in subjects], schema=COLUMNS, orient="row")
