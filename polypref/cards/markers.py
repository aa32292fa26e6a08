"""A README of the Hub in parts: metadata, generated text between two marker lines, and text of people.

Only the text between the marker lines is generated. The text above and below it, and metadata that people
added, stay when a card is written again.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from polypref.errors import InputError

START = "<!-- polypref: generated text starts here. Text above this line and below its end is kept. -->"
END = "<!-- polypref: generated text ends here. -->"

# The metadata: YAML between two lines of `---` at the top, with either kind of line end.
_YAML = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.S)
# The wording of the marker lines may change between versions; their beginnings do not.
_START = re.compile(r"<!-- polypref: generated text starts here.*?-->")
_END = re.compile(r"<!-- polypref: generated text ends here.*?-->\n?")


def split_metadata(card: str) -> tuple[dict[str, Any], str]:
    """Return the metadata of a card, and the text after it.

    Raises InputError for metadata that is not YAML.
    """
    block = _YAML.match(card)
    try:
        header = (yaml.safe_load(block[1]) if block else None) or {}
    except yaml.YAMLError as error:
        raise InputError(f"README.md: metadata is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(header, dict):
        raise InputError(f"README.md: metadata: found {type(header).__name__}, expected keys and values")
    return header, card[block.end() :] if block else card


def split_card(card: str) -> tuple[dict[str, Any], str, str]:
    """Return the metadata, the text above and the text below the generated text.

    A card without marker lines was written by people: all of its text is below.

    Raises InputError as `split_metadata` does, and for one marker line without the other.
    """
    header, body = split_metadata(card)
    start, end = _START.search(body), _END.search(body)
    if start and end and start.end() < end.start():
        return header, body[: start.start()], body[end.end() :]
    if start or end:
        raise InputError(
            "README.md: found only one of the two lines that enclose the generated text; "
            "expected both or none"
        )
    return header, "", f"\n{body}" if body.strip() else ""


def join_card(header: Mapping[str, Any], above: str, generated: str, below: str) -> str:
    """Return the card whose parts are these; the inverse of `split_card`.

    A marker line that a recipe has in its text is not one in the card.
    """
    generated = generated.replace("<!-- polypref: generated", "<!- polypref: generated")
    metadata = yaml.safe_dump(dict(header), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{metadata}---\n{above}{START}\n\n{generated.strip()}\n\n{END}\n{below}"


def as_list(value: Any) -> list[Any]:
    """Return metadata that may be a list, a single item or missing as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
