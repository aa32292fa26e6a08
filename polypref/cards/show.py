"""Rows printed in a terminal: right-to-left text on the right and isolated, nothing that steers the terminal.

Letters are printed in logical order. Terminals with bidirectional text lay them out; others show them
unjoined.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polypref.cards.load import scan_published
from polypref.cards.render import format_number
from polypref.languages.codes import LANGUAGES

if TYPE_CHECKING:
    from rich.console import Console

# Isolates keep the direction of a text from changing what surrounds it: Unicode UAX #9.
RIGHT_TO_LEFT, LEFT_TO_RIGHT, END = "\u2067", "\u2066", "\u2069"
_BIDI = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


def first_rows(
    source: str | Path,
    language: str | None = None,
    n: int = 3,
    split: str | None = None,
    revision: str | None = None,
) -> list[dict[str, Any]]:
    """Return the first `n` rows (of a language, of a split) as dictionaries.

    Raises InputError for a source, language, split or revision that does not exist.
    """
    languages = [language] if language else None
    rows = scan_published(source, languages=languages, split=split, revision=revision)
    return rows.head(n).collect().to_dicts()


def print_rows(rows: Iterable[Mapping[str, Any]], console: "Console") -> None:
    """Print each row as a block: its keys and numbers in one line, then its texts."""
    for row in rows:
        texts = {}
        values = []
        for name, value in row.items():
            if _is_messages(value):
                texts[name] = value
            elif value is not None and not isinstance(value, list):
                values.append(f"{name} {format_number(value) if isinstance(value, float) else value}")
        _print_line(console, "  ".join(values), "bold")
        for name, value in texts.items():
            _print_text(console, name, value, "eng_Latn" if name == "prompt_en" else row["language"])
        console.print()


def print_trace(trace: Mapping[str, Any], console: "Console") -> None:
    """Print the result of `polypref.cards.trace.trace_prompt`, from the prompt to the pairs."""
    code = trace["language"]
    title = f"{trace['prompt_id']} in {LANGUAGES[code].name} ({code}), lineage {trace['lineage']}"
    _print_line(console, title, "bold")
    for table, place in trace["places"].items():
        _print_line(console, f"  {table}: {place}")
    if trace["prompt"]:
        _print_prompt(trace, console)
    for row in trace["completions"]:
        _print_completion(trace, row, console)
    for row in trace["rejected"]:
        by = f" by {row['generator']}" if row["generator"] else ""
        _print_line(console, f"\nrejected from {row['stage']}{by}: {row['rejected_by']}", "bold")
    for row in trace["pairs"]:
        sides = []
        for side in ("chosen", "rejected"):
            model, origin, sample = (row[f"{side}_{column}"] for column in ("model", "origin", "sample"))
            sides.append(f"{side}: {model} {origin} sample {sample}")
        margin = format_number(row["margin"])
        line = f"\npair {row['builder']} {row['rank']}, margin {margin}: {'; '.join(sides)}"
        _print_line(console, line, "bold")


def _print_prompt(trace: Mapping[str, Any], console: "Console") -> None:
    code, prompt = trace["language"], trace["prompt"]
    _print_line(console, f"\nprompt, from {prompt['source']} ({prompt['source_id']})", "bold")
    if prompt["translator"]:
        _print_text(console, "English", prompt["prompt_en"], "eng_Latn")
        _print_line(console, f"translated by {_describe_model(trace, prompt['translator'])}", "bold")
    _print_text(console, LANGUAGES[code].name, prompt["prompt"], code)


def _print_completion(trace: Mapping[str, Any], row: Mapping[str, Any], console: "Console") -> None:
    code = trace["language"]
    scores = [f"{score['name']} {format_number(score['value'])}" for score in row["scores"] or ()]
    rank = f"rank {row['rank']}" if row["rank"] else "no rank"
    source = f"{row['origin']}, sample {row['sample']}, {row['tokens']} tokens"
    _print_line(console, f"\ncompletion {rank}, {', '.join(scores) or 'no score'}: {source}", "bold")
    _print_line(console, f"by {_describe_model(trace, row['generator'])}")
    english = trace["english"].get((row["generator"], row["sample"])) if row["pivot_language"] else None
    if english:
        _print_text(console, "written in English", english["completion"], "eng_Latn")
    _print_text(console, LANGUAGES[code].name, row["completion"], code)


def _describe_model(trace: Mapping[str, Any], name: str) -> str:
    model = trace["models"].get(name)
    if model is None:
        return name
    settings = ", ".join(f"{key} {value}" for key, value in model.get("settings", {}).items())
    return f"{name}: {model['model']} at {model['revision']}{f' ({settings})' if settings else ''}"


def _print_text(console: "Console", title: str, value: object, code: str) -> None:
    """Print a text or messages below its title, in the direction of its language."""
    rtl = LANGUAGES[code].rtl
    messages: Any = value if _is_messages(value) else [{"role": "", "content": str(value or "")}]
    for message in messages:
        _print_line(console, f"{title} {message['role']}".rstrip(), "dim")
        for line in strip_controls(message["content"]).split("\n"):
            isolated = f"{RIGHT_TO_LEFT if rtl else LEFT_TO_RIGHT}{line}{END}"
            console.print(isolated, justify="right" if rtl else "left", markup=False, highlight=False)


def _print_line(console: "Console", text: str, style: str | None = None) -> None:
    console.print(strip_controls(text), style=style, markup=False, highlight=False)


def strip_controls(text: str) -> str:
    """Return the text without control characters and direction marks; lines and tabs stay."""
    text = _BIDI.sub("", text.replace("\r\n", "\n"))
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))


def _is_messages(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "content" in value[0]
