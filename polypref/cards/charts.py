"""The pictures of cards, as SVG, once on light and once on dark ground.

Of a dataset: how scores and margins spread in each language, from the quantiles that stand in the card's tables too. Of a
checkpoint: its training curve.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from polypref.languages.codes import LANGUAGES

THEMES = {
    "light": {
        "ink": "#1f2328",
        "soft": "#59636e",
        "rule": "#d1d9e0",
        "chosen": "#0969da",
        "rejected": "#bc4c00",
        "ground": "#ffffff",
    },
    "dark": {
        "ink": "#f0f6fc",
        "soft": "#9198a1",
        "rule": "#3d444d",
        "chosen": "#4493f8",
        "rejected": "#db6d28",
        "ground": "#0d1117",
    },
}
ROW, TOP, LABELS, PANEL, GAP = 22, 44, 170, 300, 40  # pixels
CURVE_WIDTH, CURVE_HEIGHT = 240, 120


def picture(name: str, says: str) -> str:
    """The Markdown that shows `assets/NAME-light.svg`, or the dark one where a page is dark."""
    return f"""<picture>
  <source media="(prefers-color-scheme: dark)" srcset="assets/{name}-dark.svg">
  <img alt="{says}" src="assets/{name}-light.svg">
</picture>"""


def plots(facts: Mapping[str, Any]) -> dict[str, str]:
    """{path: SVG}; none for a table without scores."""
    panels = _panels(facts)
    return (
        {
            f"assets/scores-{theme}.svg": _svg(panels, facts["languages"], colours)
            for theme, colours in THEMES.items()
        }
        if panels
        else {}
    )


def curves(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> dict[str, str]:
    """{path: SVG} of each column over the steps of a training; none for a curve of fewer than two points."""
    found = {
        name: [(float(row["step"]), float(row[name])) for row in rows if row.get(name) is not None]
        for name in columns
    }
    drawn = {name: points for name, points in found.items() if len(points) > 1}
    return (
        {f"assets/curve-{theme}.svg": _curves(drawn, colours) for theme, colours in THEMES.items()}
        if drawn
        else {}
    )


def _curves(drawn: Mapping[str, Sequence[tuple[float, float]]], colours: Mapping[str, str]) -> str:
    out = []
    for n, (name, points) in enumerate(drawn.items()):
        left, (steps, values) = 60 + n * (CURVE_WIDTH + 70), zip(*points, strict=True)
        low, high, first, last = min(values), max(values), min(steps), max(steps)
        bottom = TOP + CURVE_HEIGHT
        path = " ".join(
            f"{left + CURVE_WIDTH * (x - first) / (last - first):.1f},{bottom - CURVE_HEIGHT * (y - low) / ((high - low) or 1):.1f}"
            for x, y in points
        )
        out.append(_text(left, 18, name.replace("_", " "), colours["ink"], weight=600))
        for y, value in ((TOP, high), (bottom, low)):
            out.append(f'<path d="M{left} {y}h{CURVE_WIDTH}" stroke="{colours["rule"]}"/>')
            out.append(_text(left - 6, y + 4, f"{value:.3g}", colours["soft"], anchor="end"))
        out.append(_text(left, bottom + 18, f"step {first:g}", colours["soft"]))
        out.append(_text(left + CURVE_WIDTH, bottom + 18, f"{last:g}", colours["soft"], anchor="end"))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colours["chosen"]}" stroke-width="1.5"/>')
    return _page(
        60 + len(drawn) * (CURVE_WIDTH + 70), TOP + CURVE_HEIGHT + 30, "Training curve", out, colours
    )


def _page(width: int, height: int, says: str, content: Sequence[str], colours: Mapping[str, str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="{says}">',
            f'<rect width="{width}" height="{height}" rx="6" fill="{colours["ground"]}"/>',
            *content,
            "</svg>\n",
        ]
    )


def _panels(facts: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """A panel's title, and what it shows: the names of quantiles and their colours."""
    names = dict.fromkeys(
        name for about in facts["languages"].values() for name, found in about["quantiles"].items() if found
    )
    if {"chosen_score", "rejected_score"} <= names.keys():
        return [
            ("score: chosen, rejected", [("chosen_score", "chosen"), ("rejected_score", "rejected")]),
            ("margin", [("margin", "soft")]),
        ]
    return [(name, [(name, "chosen")]) for name in names if name.endswith("score")][:2]


def _svg(
    panels: Sequence[tuple[str, list[tuple[str, str]]]],
    languages: Mapping[str, Any],
    colours: Mapping[str, str],
) -> str:
    shown = {
        code: about["quantiles"]
        for code, about in languages.items()
        if any(about["quantiles"].get(n) for _, s in panels for n, _ in s)
    }
    width, height = LABELS + len(panels) * (PANEL + GAP), TOP + ROW * len(shown) + 40
    out = []
    for row, code in enumerate(shown):
        out.append(_text(12, TOP + ROW * row + 15, LANGUAGES[code].name, colours["ink"]))
    for n, (title, series) in enumerate(panels):
        out += _panel(LABELS + n * (PANEL + GAP), title, series, list(shown.values()), colours)
    out.append(
        _text(12, height - 10, "line: 5% to 95% of the rows; bar: 25% to 75%; mark: median", colours["soft"])
    )
    return _page(width, height, "Quantiles of scores and margins by language", out, colours)


def _panel(
    left: int,
    title: str,
    series: Sequence[tuple[str, str]],
    quantiles: Sequence[Mapping[str, Any]],
    colours: Mapping[str, str],
) -> list[str]:
    found = [about[name] for about in quantiles for name, _ in series if about.get(name)]
    low, high = float(min(q["p5"] for q in found)), float(max(q["p95"] for q in found))
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return round(left + PANEL * (value - low) / span, 1)

    bottom = TOP + ROW * len(quantiles)
    out = []
    words = title.split(", ")
    if len(series) > 1:  # the names carry the colours of what they name
        spans = "".join(
            f'<tspan fill="{colours[colour]}">{escape(name.replace("_", " "))}</tspan>  '
            for name, colour in series
        )
        out.append(f'<text x="{left}" y="18" font-weight="600" xml:space="preserve">{spans}</text>')
    else:
        out.append(_text(left, 18, words[0], colours["ink"], weight=600))
    for value in (low, (low + high) / 2, high):
        out.append(f'<path d="M{x(value)} {TOP - 6}V{bottom}" stroke="{colours["rule"]}"/>')
        out.append(_text(x(value), TOP - 10, f"{value:.3g}", colours["soft"], anchor="middle"))
    for row, about in enumerate(quantiles):
        for k, (name, colour) in enumerate(series):
            q, fill = about.get(name), colours[colour]
            if not q:
                continue
            y = TOP + ROW * row + (11 if len(series) == 1 else 7 + 9 * k)
            out.append(f'<path d="M{x(q["p5"])} {y}H{x(q["p95"])}" stroke="{fill}"/>')
            out.append(
                f'<rect x="{x(q["p25"])}" y="{y - 3}" width="{max(x(q["p75"]) - x(q["p25"]), 1):.1f}" height="6" fill="{fill}"/>'
            )
            out.append(f'<path d="M{x(q["p50"])} {y - 4}v8" stroke="{colours["ground"]}" stroke-width="2"/>')
    return out


def _text(x: float, y: float, text: str, fill: str, anchor: str = "start", weight: int = 400) -> str:
    return f'<text x="{x}" y="{y}" fill="{fill}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
