"""The section on pairs: their number and the origin of the chosen side by language, and how scores spread."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polypref.cards.charts import axis, bars, extent, position, score_range
from polypref.cards.folder import Facts
from polypref.cards.load import scan_published
from polypref.languages.codes import by_name

SIDES = ("chosen", "rejected")
SCORES = ("chosen_score", "rejected_score", "margin")
BINS = 36


def rows_by_split(language: Mapping[str, Any]) -> dict[str, int]:
    """Return the rows of one language of facts.json in each split."""
    rows = {"train": 0, "test": 0}
    for file in language["files"]:
        rows[file["split"]] += file["rows"]
    return rows


def language_lines(facts: Facts) -> dict[str, Any]:
    """Return a line for every language, with its scores on one scale for all."""
    languages: Mapping[str, Any] = facts["languages"]
    most = max((sum(rows_by_split(language).values()) for language in languages.values()), default=0)
    origins = _values(languages, "chosen_origin")
    by = "origin" if len(origins) > 1 else "model"  # one origin says nothing; the models may
    values = origins if by == "origin" else _values(languages, "chosen_model")
    over = score_range(
        (language["quantiles"] for language in languages.values()), [f"{side}_score" for side in SIDES]
    )
    lines = []
    for code in by_name(languages):
        language, rows = languages[code], rows_by_split(languages[code])
        quantiles = {side: language["quantiles"][f"{side}_score"] for side in SIDES}
        shares = _shares(language["counts"][f"chosen_{by}"], values)
        lines.append(
            {
                "code": code,
                "rows": rows,
                "widths": {split: 100 * count / max(most, 1) for split, count in rows.items()},
                "shares": shares,
                "label": _label(shares, by),
                "margin": language["quantiles"]["margin"].get("p50"),
                "medians": {side: quantiles[side].get("p50") for side in SIDES},
                "boxes": {side: _positions(quantiles[side], over) for side in SIDES},
            }
        )
    return {"by": by, "values": values, "ticks": axis(over), "lines": lines}


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


def _label(shares: Sequence[tuple[str, float]], by: str) -> tuple[str, float] | None:
    """Return the share that is written out: of origins the first (native) one, of models the largest."""
    if by == "model":
        return max(shares, key=lambda share: share[1], default=None)
    return shares[0] if shares else None


def _positions(quantiles: Mapping[str, float], over: tuple[float, float]) -> dict[str, float]:
    return {name: position(value, over) for name, value in quantiles.items()}
