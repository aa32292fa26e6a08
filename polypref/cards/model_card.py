"""The card of a trained checkpoint, from the record of its training and the win rates of its evaluation.

This module computes the values; the text is in templates/model_card.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from polypref.cards.charts import curve_pictures, curve_points
from polypref.cards.markers import as_list, join_card, split_card
from polypref.cards.render import render
from polypref.languages.codes import LANGUAGES

# Entries of the key that the card shows elsewhere.
NOT_HYPERPARAMETERS = {"method", "base", "data", "reward", "control"}
CURVE_ROWS = 8  # rows of the table of the training curve


def documents(facts: Mapping[str, Any], existing: str | None = None) -> dict[str, bytes]:
    """Return {path: content} of the card (see `model_card`) and its pictures."""
    pictures = curve_pictures(facts["curve"], facts["method"]["curve"])
    drawn = {path: svg.encode() for path, svg in pictures.items()}
    return {"README.md": model_card(facts, existing).encode(), **drawn}


def model_card(facts: Mapping[str, Any], existing: str | None = None) -> str:
    """Return README.md of a checkpoint, with the Hub's metadata.

    facts: training.json, with `curve` (the rows of training_log.jsonl), `lora` and `left_out`; for a
    checkpoint that was evaluated, with `winrate`: the base, the prompts and the judges of winrate.json.
    existing: the card that this one replaces; text and metadata that people added to it stay.
    """
    curve = facts["curve"]
    logged = set().union(*curve)
    columns = {column: label for column, label in facts["method"]["curve"].items() if column in logged}
    values = {
        "reward": None,
        "winrate": None,
        **facts,
        "hyperparameters": _hyperparameters(facts["key"]),
        "columns": columns,
        "has_picture": any(curve_points(curve, column) for column in columns),
        "curve_rows": _spread(curve, CURVE_ROWS),
    }
    old, above, below = split_card(existing or "")
    return join_card(_metadata(facts, old), above, render("model_card.md", values), below)


def _metadata(facts: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Hub's metadata. A base model or data in a local folder has no id that it could name."""
    base, data = facts["base"], facts["data"]
    languages = [LANGUAGES[code].short_code for code in data["rows"]]
    tags = ["polypref", "trl", facts["method"]["name"], "preference", "multilingual"]
    if facts["lora"]:
        tags.append("lora")
    own = {
        "language": list(dict.fromkeys(languages)),
        "license": facts["license"],
        "base_model": base["model"] if base["on_hub"] else None,
        "datasets": [data["name"]] if data["on_hub"] else None,
        "library_name": "peft" if facts["lora"] else "transformers",
        "pipeline_tag": "text-generation",
        "tags": list(dict.fromkeys([*tags, *as_list(old.get("tags"))])),
    }
    own = {key: value for key, value in own.items() if value}
    return own | {key: value for key, value in old.items() if key not in own}


def _hyperparameters(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of the key to show; epochs are not used if max_steps is set."""
    hidden = NOT_HYPERPARAMETERS | ({"epochs"} if key["max_steps"] else set())
    return {name: value for name, value in key.items() if value is not None and name not in hidden}


def _spread(rows: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """Return at most `count` rows at even distances, with the first and the last one."""
    if len(rows) <= count:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (count - 1))] for i in range(count)]
