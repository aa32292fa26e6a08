"""Real text to measure on, read from folders that others published; none of it is part of polypref."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from polypref.languages.codes import LANGUAGES, PAPER_23

CODES = {LANGUAGES[code].short_code: code for code in PAPER_23}  # {"de": "deu_Latn"}


class Sample(NamedTuple):
    """A text of lingua's test data."""

    code: str
    kind: str  # sentences, word-pairs or single-words
    text: str


def identification(data: Path) -> list[Sample]:
    """Return lingua's test data in the 23 languages."""
    rows = read_tsv(data / "lingua_lid/lid_dev.tsv.gz")
    return [Sample(CODES[row["lang"]], row["kind"], row["text"]) for row in rows if row["lang"] in CODES]


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table whose fields may hold quotation marks."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of JSON lines, which are compressed if the name ends in .gz."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            yield json.loads(line)


def long_rows(data: Path, characters: int = 500, rows_per_language: int = 40) -> list[tuple[str, str]]:
    """Return (FLORES code, text) of `characters` each, of joined sentences; the languages take turns."""
    sentences: dict[str, list[str]] = {}
    for sample in identification(data):
        if sample.kind == "sentences":
            sentences.setdefault(sample.code, []).append(sample.text)
    rows = []
    for code in sorted(sentences):
        whole = " ".join(sentences[code])
        starts = range(0, len(whole) - characters, characters)[:rows_per_language]
        rows += [(turn, code, whole[start : start + characters]) for turn, start in enumerate(starts)]
    return [(code, text) for _, code, text in sorted(rows)]
