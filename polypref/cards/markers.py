"""A README of the Hub as metadata, text that we generate, and text that people wrote around it.

What stands between two marker lines is generated; a person's text above and below them, and their metadata, stay when a card
is written anew.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from polypref.errors import InputError

START = "<!-- polypref: generated text starts here; what stands above this line, or below the line that ends it, is kept by later writes. -->"
END = "<!-- polypref: generated text ends here. -->"

_YAML = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.S)
_START = re.compile(r"<!-- polypref: generated text starts here.*?-->")
_END = re.compile(r"<!-- polypref: generated text ends here.*?-->\n?")


def taken_apart(card: str) -> tuple[dict[str, Any], str, str]:
    """Metadata, text above and text below the generated text; in a card without marker lines all of its text goes below.

    Raises InputError for metadata that is not YAML, or one marker line without the other.
    """
    block = _YAML.match(card)
    try:
        header = (yaml.safe_load(block[1]) if block else None) or {}
    except yaml.YAMLError as error:
        raise InputError(f"README.md: metadata is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(header, dict):
        raise InputError(f"README.md: metadata: found {type(header).__name__}, expected keys and values")
    body = card[block.end() :] if block else card
    start, end = _START.search(body), _END.search(body)
    if start and end and start.end() < end.start():
        return header, body[: start.start()], body[end.end() :]
    if start or end:
        raise InputError(
            "README.md: found only one of the two lines that enclose the generated text, expected both or none"
        )
    return header, "", f"\n{body}" if body.strip() else ""


def put_together(header: Mapping[str, Any], above: str, generated: str, below: str) -> str:
    """The card whose parts `taken_apart` finds."""
    metadata = yaml.safe_dump(dict(header), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{metadata}---\n{above}{START}\n\n{generated.strip()}\n\n{END}\n{below}"


def listed(value: Any) -> list[Any]:
    """What a person wrote as a list, or as one item of it, or not at all."""
    return value if isinstance(value, list) else [] if value is None else [value]
