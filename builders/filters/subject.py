"""What a filter looks at, and what it finds."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Subject:
    """A text that should be in `language`, the text it was translated from (if any), and how its generation ended."""

    text: str
    language: str
    source: str | None = None
    finish_reason: str = "stop"


class Finding(NamedTuple):
    """A filter's measure, and whether it rejects."""

    measure: float
    rejects: bool
