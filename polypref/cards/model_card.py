"""The card of a trained checkpoint, from what was recorded of its training. How good it is, eval tells."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polypref.cards.charts import curve_pictures, picture_tag
from polypref.cards.markers import listed, put_together, taken_apart
from polypref.languages.codes import LANGUAGES

NOT_HYPER = {"method", "base", "data", "reward", "control"}


def documents(facts: Mapping[str, Any], existing: str | None = None) -> dict[str, bytes]:
    """{path: content} of the card (see `model_card`) and its pictures."""
    drawn = curves(facts["curve"], list(facts["method"]["curve"]))
    return {
        "README.md": model_card(facts, existing).encode(),
        **{path: svg.encode() for path, svg in drawn.items()},
    }


def model_card(facts: Mapping[str, Any], existing: str | None = None) -> str:
    """README.md of a checkpoint: valid Hub metadata and what it is, from `polypref.training.run.facts` with its `curve` and `left_out`.

    `winrate`: the checkpoint's entry of eval's winrate.json ({judge: {"win", …, "languages"}}) with `base` and `prompts`, if there is one.
    What people wrote into the `existing` card stays (cards/prose.py).
    """
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    columns = [column for column in facts["method"]["curve"] if any(column in row for row in facts["curve"])]
    text: str = templates.get_template("model_card.md").render(
        **{"reward": None, "winrate": None, **facts},
        control=facts["key"].get("control"),
        hyper=_hyper(facts["key"]),
        languages=[(LANGUAGES[code].name, code, rows) for code, rows in facts["data"]["rows"].items()],
        language_names={code: LANGUAGES[code].name for code in LANGUAGES},
        columns=columns,
        picture=picture("curve", "Training curve; the table has some of its numbers.")
        if curves(facts["curve"], columns)
        else "",
        curve_rows=_spread(facts["curve"], 8),
    )
    old, above, below = taken_apart(existing or "")
    return put_together(_metadata(facts, old), above, text, below)


def _metadata(facts: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """What the Hub reads; a base model or data that lie in a local folder have no id there and are named in the text alone."""
    languages = dict.fromkeys(
        LANGUAGES[code].iso639_1 or LANGUAGES[code].iso639_3 for code in facts["data"]["rows"]
    )
    optional = {
        "license": facts["license"],
        "base_model": facts["base"]["model"] if facts["base"]["on_hub"] else None,
        "datasets": [facts["data"]["name"]] if facts["data"]["on_hub"] else None,
    }
    tags = [
        "polypref",
        "trl",
        facts["method"]["name"],
        "preference",
        "multilingual",
        *(["lora"] if facts["lora"] else []),
    ]
    own = {
        "language": list(languages),
        **{key: value for key, value in optional.items() if value},
        "library_name": "peft" if facts["lora"] else "transformers",
        "pipeline_tag": "text-generation",
        "tags": list(dict.fromkeys([*tags, *listed(old.get("tags"))])),
    }
    return {**own, **{key: value for key, value in old.items() if key not in own}}


def _hyper(key: Mapping[str, Any]) -> dict[str, Any]:
    decided_by_steps = {"epochs"} if key["max_steps"] else set()
    return {
        name: value
        for name, value in key.items()
        if value is not None and name not in NOT_HYPER | decided_by_steps
    }


def _spread(rows: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """At most `count` rows, the first and the last among them, at even distances."""
    if len(rows) <= count:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (count - 1))] for i in range(count)]
