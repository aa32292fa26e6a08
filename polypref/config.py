"""The base of all configs: frozen, closed to unknown keys, and divided into identity and operation.

Identity fields can change an answer and enter the keys of what is kept. A field annotated `Operational[...]`,
such as a batch size, a device or a timeout, cannot, and never does.
"""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from polypref.errors import InputError

T = TypeVar("T")
Operational = Annotated[T, "operational"]
# A name that becomes part of paths and of cards.
Name = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
MAX_BYTES = 256_000  # of a recipe; the parser takes seconds for as many
MAX_VALUES = 100_000  # in a recipe, once its aliases are resolved


class Config(BaseModel):
    """The base of all configs."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, values: Any) -> Any:
        """Refuse an unknown key before pydantic does: only here are the known keys of its section at hand."""
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in values if isinstance(values, dict) else ():
            if key not in known:
                nearest = difflib.get_close_matches(str(key), known, n=1, cutoff=0.8)
                hint = f"did you mean '{nearest[0]}'?" if nearest else f"expected one of {', '.join(known)}"
                raise PydanticCustomError("unknown_key", "unknown key", {"key": str(key), "hint": hint})
        return values

    def identity(self) -> dict[str, Any]:
        """Return the fields that can change an answer, nested configs included, as JSON values."""
        fields = {}
        for name, field in type(self).model_fields.items():
            if "operational" not in field.metadata:
                fields[name] = _json_value(getattr(self, name))
        return fields


def _json_value(value: Any) -> Any:
    match value:
        case Config():
            return value.identity()
        case Mapping():
            return {str(key): _json_value(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_json_value(inner) for inner in value]
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
    """Read a YAML file as a config.

    Overlays, then overrides that are not None, are merged over it key by key.
    `${name}` in its strings is replaced by `values[name]`, and `${here}` by the folder of the file.

    Raises InputError for a file that is missing or not YAML, an unknown key (naming the nearest known one)
    and a value that does not fit.
    """
    tree = read_yaml(path)
    for overlay in overlays:
        tree = merge_keys(tree, read_yaml(overlay))
    tree = _fill_values(tree, {"here": str(path.parent), **(values or {})}, path)
    for name, override in (overrides or {}).items():
        if override is not None:
            tree = merge_keys(tree, {name: override})
    return check_config(model, tree, str(path))


def check_config(model: type[C], tree: Mapping[str, Any], place: str) -> C:
    """Return a config made of a tree of values. Raises InputError, which begins with `place`."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise InputError(f"{place}: {_describe_error(error)}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the keys and values of a YAML file.

    Raises InputError for a file that holds anything else, or more than a recipe can need.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"{path}: found {size:,} bytes, expected at most {MAX_BYTES:,}")
        loader = yaml.SafeLoader(path.read_text("utf-8-sig"))
        node = loader.get_single_node()
        if _count_values(node, {}) > MAX_VALUES:
            raise InputError(f"{path}: expected at most {MAX_VALUES:,} values, those of aliases included")
        tree = loader.construct_document(node) if node else None
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or a date or number out of range
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply") from None
    if not isinstance(tree, dict):
        raise InputError(f"{path}: found {type(tree).__name__}, expected keys and values")
    return tree


def _count_values(node: yaml.Node | None, counts: dict[int, float]) -> float:
    """Return the number of values in YAML with its aliases resolved, infinite if a value contains itself.

    Raises YAMLError for a key that occurs twice in one section: the parser would keep the last in silence.
    """
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in counts:
        counts[id(node)] = math.inf  # until it is counted
        inner = node.value
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, _ in node.value:
                if str(key.value) in keys:
                    line = key.start_mark.line + 1
                    raise yaml.YAMLError(f"key {str(key.value)[:80]!r} occurs again in line {line}")
                keys.add(str(key.value))
            inner = chain.from_iterable(node.value)
        counts[id(node)] = 1 + sum(_count_values(value, counts) for value in inner)
    return counts[id(node)]


def merge_keys(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the keys of `over`, sections inside them merged likewise."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge_keys(merged[key], value)
        else:
            merged[key] = value
    return merged


def _fill_values(tree: Any, values: Mapping[str, str], path: Path) -> Any:
    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise InputError(f"{path}: '${{{match[1]}}}' has no value; give it with --set {match[1]}=VALUE")
        return values[match[1]]

    match tree:
        case dict():
            return {key: _fill_values(inner, values, path) for key, inner in tree.items()}
        case list():
            return [_fill_values(inner, values, path) for inner in tree]
        case str():
            return re.sub(r"\$\{(\w+)\}", value_of, tree)
        case _:
            return tree


def _describe_error(error: ValidationError) -> str:
    """Return one problem in one line: an unknown key if there is one, as it may explain a missing key."""
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "unknown_key")
    problem = problems[0]
    places = problem["loc"][:-2] if problem["loc"][-1:] == ("[key]",) else problem["loc"]
    key = " ".join(".".join(map(str, places)).split())
    prefix = f"{key}: " if key else ""
    found = repr(problem["input"])
    context = problem.get("ctx", {})
    match problem["type"]:
        case "unknown_key":
            return f"unknown key '{key}{'.' if key else ''}{context['key'][:80]}'; {context['hint']}"
        case "missing":
            return f"missing key '{key}'"
        case "union_tag_not_found":
            return f"missing key '{key}.kind'"
        case "union_tag_invalid":
            return f"{key}.kind: found {context['tag']!r}, expected one of {context['expected_tags']}"
        case "string_pattern_mismatch":
            return f"{prefix}found {found[:80]}, expected a name of letters, digits, '.', '_' and '-'"
        case "string_type" | "tuple_type" if isinstance(problem["input"], bool):
            return f"{prefix}found {found}; YAML reads no, yes, on and off as such, so write them in quotes"
        case "tuple_type":
            return f"{prefix}found {found[:80]}, expected a list: [{problem['input']}]"
    message = problem["msg"].removeprefix("Value error, ")
    if isinstance(problem["input"], dict):  # a rule about several keys; the section would be too long to show
        return f"{prefix}{message}"
    expected = re.sub("^Input should be (greater|less)", r"expected a number \1", message)
    expected = expected.replace("Input should be", "expected")
    return f"{prefix}found {found[:80]}, {expected}"
