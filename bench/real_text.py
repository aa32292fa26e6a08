"""The real text that filters are measured on, read from the folders in which others published it. None of it is part of polypref."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polypref.languages.codes import PAPER_23, language

CODES = {str(language(code).iso639_1): code for code in PAPER_23}


def identification(data: Path) -> list[tuple[str, str, str]]:
    """(FLORES code, kind, text) of lingua's test data in the 23 languages; kinds: sentences, word-pairs, single-words."""
    rows = tsv(data / "lingua_lid/lid_dev.tsv.gz")
    return [(CODES[row["lang"]], row["kind"], row["text"]) for row in rows if row["lang"] in CODES]


def tsv(path: Path) -> list[dict[str, str]]:
    """A table whose fields may hold quotation marks."""
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else open(path, encoding="utf-8", newline="") as file
    ):
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def long_rows(data: Path, characters: int = 500, a_language: int = 40) -> list[tuple[str, str]]:
    """(FLORES code, text) of so many characters each, made of the test sentences of each language; languages in turn."""
    texts: dict[str, list[str]] = {}
    for code, kind, text in identification(data):
        if kind == "sentences":
            texts.setdefault(code, []).append(text)
    pieces = {code: _cut(" ".join(lines), characters)[:a_language] for code, lines in texts.items()}
    return [
        (code, pieces[code][i]) for i in range(a_language) for code in sorted(pieces) if i < len(pieces[code])
    ]


def _cut(text: str, characters: int) -> list[str]:
    return [text[start : start + characters] for start in range(0, len(text) - characters, characters)]
