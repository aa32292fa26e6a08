"""What every config shares: frozen, closed to unknown keys, and split into identity and operation.

Identity fields can change an answer and enter the keys of what is kept; a field annotated `Operational[...]`
(batch size, concurrency, device, timeouts, …) never does.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from polypref.errors import InputError

T = TypeVar("T")
Operational = Annotated[T, "operational"]


class Config(BaseModel):
    """The base of all configs."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def identity(self) -> dict[str, Any]:
        """The fields that can change an answer, nested configs included, as plain JSON values."""
        return {
            name: _plain(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if "operational" not in field.metadata
        }


def _plain(value: Any) -> Any:
    match value:
        case Config():
            return value.identity()
        case Mapping():
            return {str(k): _plain(v) for k, v in value.items()}
        case list() | tuple():
            return [_plain(v) for v in value]
        case Path():
            return str(value)
        case _:
            return value


C = TypeVar("C", bound=Config)


def read_config(
    path: Path,
    model: type[C],
    values: Mapping[str, str] | None = None,
    overlays: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
) -> C:
    """A YAML file as a config; overlays, then overrides that are not None, are merged over it key by key.

    `${name}` in its strings is replaced by `values[name]`; `${here}` is the folder of the file.

    Raises InputError: a file that is missing or not YAML, an unknown key (with the nearest known one), a wrong value.
    """
    tree = read_yaml(path)
    for overlay in overlays:
        tree = _merged(tree, read_yaml(overlay))
    tree = _filled(tree, {"here": str(path.parent), **(values or {})}, path)
    try:
        return model.model_validate(
            _merged(tree, {k: v for k, v in (overrides or {}).items() if v is not None})
        )
    except ValidationError as error:
        raise InputError(f"{path}: {_first_line(error, model)}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the keys and values of a YAML file; raises InputError for a file that has something else."""
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise InputError(f"{path}: found {type(tree).__name__}, expected keys and values")
    return tree


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _filled(tree: Any, values: Mapping[str, str], path: Path) -> Any:
    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise InputError(f"{path}: '${{{match[1]}}}' has no value; give it with --set {match[1]}=VALUE")
        return values[match[1]]

    match tree:
        case dict():
            return {k: _filled(v, values, path) for k, v in tree.items()}
        case list():
            return [_filled(v, values, path) for v in tree]
        case str():
            return re.sub(r"\$\{(\w+)\}", value_of, tree)
        case _:
            return tree


def _first_line(error: ValidationError, model: type[Config]) -> str:
    problems = error.errors()
    problem = next(
        (p for p in problems if p["type"] == "extra_forbidden"), problems[0]
    )  # a misspelt key explains a missing one
    key = ".".join(str(step) for step in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{key}: found {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}"
    unknown = str(problem["loc"][-1])
    missing = [
        str(p["loc"][-1]) for p in problems if p["type"] == "missing" and p["loc"][:-1] == problem["loc"][:-1]
    ]
    near = [
        close
        for keys in (missing, _known_keys(model))
        for close in difflib.get_close_matches(unknown, sorted(keys), n=1, cutoff=0.5)
    ]
    return f"unknown key '{key}'" + (f"; did you mean '{near[0]}'?" if near else "")


def _known_keys(model: type[Config]) -> set[str]:
    keys: set[str] = set()
    todo, seen = [model], set[Any]()
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            keys |= set(current.model_fields)
            todo += [field.annotation for field in current.model_fields.values()]  # type: ignore[misc]
        else:
            todo += get_args(current)
    return keys
