"""The section on pairs: their number and the origin of the chosen side by language, and how scores spread."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polypref.cards.charts import axis, bars, extent, score_range
from polypref.cards.folder import Facts
from polypref.cards.load import scan_published
from polypref.cards.metadata import rows_by_split
from polypref.languages.codes import LANGUAGES, by_name

SCORES = ("chosen_score", "rejected_score", "margin")
BINS = 36


def language_lines(facts: Facts) -> dict[str, Any]:
    """Return a line for every language, with its scores on one scale for all."""
    languages: Mapping[str, Any] = facts["languages"]
    origins = _values(languages, "chosen_origin")
    by = "origin" if len(origins) > 1 else "model"  # one origin says nothing; the models may
    values = origins if by == "origin" else _values(languages, "chosen_model")
    lines = []
    for code in by_name(languages):
        rows = rows_by_split(languages[code]["files"])
        lines.append(
            {
                "code": code,
                "script": LANGUAGES[code].script,
                "rows": rows,
                "total": sum(rows.values()),
                "shares": _shares(languages[code]["counts"][f"chosen_{by}"], values),
                "quantiles": languages[code]["quantiles"],
            }
        )
    over = score_range([line["quantiles"] for line in lines], SCORES[:2])
    return {"by": by, "values": values, "over": over, "lines": lines}


def score_histograms(folder: Path) -> dict[str, Any] | None:
    """Return histograms of chosen and rejected scores and of margins; None without scores."""
    import numpy as np

    rows = scan_published(folder, columns=SCORES).drop_nulls().collect()
    if rows.is_empty():
        return None
    chosen, rejected, margins = (rows[name].to_numpy() for name in SCORES)
    over = extent([*chosen, *rejected], padding=0.02)
    over_margin = (0.0, extent(margins, padding=0.02)[1])
    above = np.histogram(chosen, BINS, over)[0].tolist()
    below = np.histogram(rejected, BINS, over)[0].tolist()
    counts = np.histogram(margins, BINS, over_margin)[0].tolist()
    most = max(*above, *below)
    return {
        "pairs": rows.height,
        "chosen": bars(above, most, base=50, height=48),
        "rejected": bars(below, most, base=50, height=-48),
        "ticks": axis(over, 5),
        "margins": bars(counts, max(counts), height=96),
        "margin_ticks": axis(over_margin, 5),
        "medians": {name: rows[name].median() for name in SCORES},
    }


def _values(languages: Mapping[str, Any], column: str) -> list[str]:
    values: set[str] = set()
    for language in languages.values():
        values |= language["counts"][column].keys()
    return sorted(values)


def _shares(counts: Mapping[str, int], values: Sequence[str]) -> list[tuple[str, float]]:
    total = sum(counts.values())
    return [(value, counts.get(value, 0) / total) for value in values] if total else []
