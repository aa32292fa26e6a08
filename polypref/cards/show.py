"""Rows in a terminal: right-to-left text is set to the right and isolated, and nothing in a row can steer the terminal.

Letters are given in logical order: terminals that know bidirectional text lay them out; the others show them unjoined.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polypref.cards.dataset_card import number
from polypref.cards.load import scan_published
from polypref.languages.codes import LANGUAGES

if TYPE_CHECKING:
    from rich.console import Console

RIGHT_TO_LEFT, LEFT_TO_RIGHT, END = "\u2067", "\u2066", "\u2069"  # isolates, Unicode UAX #9
_BIDI = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


def first_rows(
    source: str | Path,
    language: str | None = None,
    n: int = 3,
    split: str | None = None,
    revision: str | None = None,
) -> Iterator[dict[str, Any]]:
    """The first `n` rows (of a language, of a split), as dictionaries. Raises InputError for what is not there."""
    yield from (
        scan_published(source, languages=[language] if language else None, split=split, revision=revision)
        .head(n)
        .collect()
        .to_dicts()
    )


def print_rows(rows: Iterator[dict[str, Any]], console: "Console") -> None:
    """A block a row: its keys in one line, then its texts, then its numbers."""
    for row in rows:
        texts = {name: value for name, value in row.items() if is_messages(value) or name == "completion"}
        keys = {
            name: value
            for name, value in row.items()
            if name not in texts and value is not None and not isinstance(value, list)
        }
        print_line(console, "  ".join(f"{name} {_short(value)}" for name, value in keys.items()), "bold")
        for name, value in texts.items():
            print_text(console, name, value, "eng_Latn" if name == "prompt_en" else row["language"])
        console.print()


def print_trace(chain: Mapping[str, Any], console: "Console") -> None:
    """A chain of `polypref.cards.trace.chain`, from the prompt to the pairs."""
    code, prompt = chain["language"], chain["prompt"]
    print_line(
        console,
        f"{chain['prompt_id']} in {LANGUAGES[code].name} ({code}), lineage {chain['lineage']}",
        "bold",
    )
    for name, where in chain["places"].items():
        print_line(console, f"  {name}: {where}")
    if prompt:
        print_line(console, f"\nprompt, from {prompt['source']} ({prompt['source_id']})", "bold")
        if prompt["translator"]:
            print_text(console, "English", prompt["prompt_en"], "eng_Latn")
            print_line(console, f"translated by {_who(chain, prompt['translator'])}", "bold")
        print_text(console, LANGUAGES[code].name, prompt["prompt"], code)
    for row in chain["completions"]:
        scores = ", ".join(f"{score['name']} {number(score['value'])}" for score in row["scores"] or ())
        place = f"rank {row['rank']}" if row["rank"] else "no rank"
        print_line(
            console,
            f"\ncompletion {place}, {scores or 'no score'}: {row['origin']}, draw {row['sample']}, {row['tokens']} tokens",
            "bold",
        )
        print_line(console, f"by {_who(chain, row['generator'])}")
        if row["pivot_language"] and (pivot := chain["english"].get((row["generator"], row["sample"]))):
            print_text(console, "written in English", pivot["completion"], "eng_Latn")
        print_text(console, LANGUAGES[code].name, row["completion"], code)
    for row in chain["rejected"]:
        by = f" by {row['generator']}" if row["generator"] else ""
        print_line(console, f"\nleft out of {row['stage']}{by}: {row['rejected_by']}", "bold")
    for row in chain["pairs"]:
        sides = (
            f"{side}: {row[f'{side}_model']} {row[f'{side}_origin']} draw {row[f'{side}_sample']}"
            for side in ("chosen", "rejected")
        )
        print_line(
            console,
            f"\npair {row['builder']} {row['rank']}, margin {number(row['margin'])}: {'; '.join(sides)}",
            "bold",
        )


def print_text(console: "Console", title: str, value: object, code: str) -> None:
    """A text, or messages, under its title, in the direction of its language."""
    rtl = LANGUAGES[code].rtl
    messages: Any = value if is_messages(value) else [{"role": "", "content": str(value or "")}]
    for message in messages:
        print_line(console, f"{title} {message['role']}".rstrip(), "dim")
        for line in plain(message["content"]).split("\n"):
            isolated = f"{RIGHT_TO_LEFT if rtl else LEFT_TO_RIGHT}{line}{END}"
            console.print(
                isolated, justify="right" if rtl else "left", markup=False, highlight=False, soft_wrap=False
            )


def print_line(console: "Console", text: str, style: str | None = None) -> None:
    console.print(plain(text), style=style, markup=False, highlight=False)


def plain(text: str) -> str:
    """The text without control characters and without marks of direction of its own; lines and tabs stay."""
    kept = _BIDI.sub("", text.replace("\r\n", "\n"))
    return "".join(c for c in kept if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))


def is_messages(value: object) -> bool:
    """Whether this is a list of {role, content}."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "content" in value[0]


def _short(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _who(chain: Mapping[str, Any], name: str) -> str:
    model = chain["models"].get(name)
    if model is None:
        return name
    settings = ", ".join(f"{key} {value}" for key, value in model.get("settings", {}).items())
    return f"{name}: {model['model']} at {model['revision']}{f' ({settings})' if settings else ''}"
