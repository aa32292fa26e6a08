"""The JSON files of a run, read with errors that name the file, the line and the key."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polypref.errors import InputError


def read_object(path: Path, *keys: str) -> dict[str, Any]:
    """Return the object in a JSON file. Raises InputError unless it has all of `keys`."""
    return _parsed(path.read_text("utf-8"), str(path), keys)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a training log. Raises InputError for one that is not an object with a `step`."""
    lines = path.read_text("utf-8").splitlines()
    return [_parsed(text, f"{path}: line {number}", ("step",)) for number, text in enumerate(lines, 1)]


def _parsed(text: str, place: str, keys: Sequence[str]) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InputError(f"{place}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{place}: found {type(content).__name__}, expected an object")
    for key in keys:
        if key not in content:
            raise InputError(f"{place}: missing key {key!r}; found {', '.join(content) or 'none'}")
    return content
