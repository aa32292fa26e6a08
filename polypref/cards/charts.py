"""Charts for cards and the report: one palette, one rule for ticks, and drawings in SVG.

Drawings name their colours by the palette's CSS variables, as the report does. A card shows SVG files, one on
a light and one on a dark ground, with the colours in place of the variables. The report places marks by CSS,
at positions in percent of a plot, so that labels and dots keep their size on any screen.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

from polypref.languages.codes import LANGUAGES, by_name

Point = tuple[float, float]
Range = tuple[float, float]

# name: (on a light ground, on a dark one). Chosen and rejected, and trained and base, differ along the axis
# from blue to yellow, which red-green colour-blind readers see.
PALETTE = {
    "ground": ("#ffffff", "#1a1e22"),
    "ink": ("#1c2024", "#e7e5df"),
    "soft": ("#596068", "#a4abb2"),
    "faint": ("#80868d", "#6d757d"),
    "rule": ("#e3e0d8", "#2c3237"),
    "chosen": ("#0c7489", "#4db7cb"),
    "rejected": ("#bb5320", "#ec8d53"),
    "trained": ("#3466b0", "#82aef0"),
    "base": ("#95690a", "#d9a94a"),
    "tie": ("#cfcbc1", "#4a5158"),
    "neutral": ("#7d858d", "#8a929a"),
    "category-0": ("#6d5aa6", "#a593dc"),
    "category-1": ("#5f8f4e", "#8dbb79"),
    "category-2": ("#b5547f", "#d983a9"),
    "category-3": ("#c9a227", "#dcb94a"),
    "category-4": ("#4f77a8", "#80a9d8"),
    "category-5": ("#8a9097", "#7b838b"),
}
THEMES = {
    "light": {name: light for name, (light, _) in PALETTE.items()},
    "dark": {name: dark for name, (_, dark) in PALETTE.items()},
}

MINUS = "\N{MINUS SIGN}"
QUANTILE_LEGEND = "line: 5% to 95% of the rows; bar: 25% to 75%; mark: median"
# Pixels of a picture of quantiles: a language's row, the head, the names, a panel, the gap after it.
ROW, HEAD, NAMES, PANEL, GAP = 22, 44, 170, 300, 40
# Pixels of a curve with its labels, and of the plot within it.
CURVE_WIDTH, CURVE_HEIGHT = 330, 190
PLOT_LEFT, PLOT_TOP, PLOT_WIDTH, PLOT_HEIGHT = 52, 36, 262, 124


def css_variables() -> str:
    """Return the palette as CSS variables that follow the reader's colour scheme."""
    light = " ".join(f"--{name}: {colour};" for name, colour in THEMES["light"].items())
    dark = " ".join(f"--{name}: {colour};" for name, colour in THEMES["dark"].items())
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"


# Scales


def extent(values: Iterable[float], padding: float = 0.05) -> Range:
    """Return the range of `values`, wider by a share of `padding` on each side and never empty."""
    values = list(values)
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low) * padding
    if low == high:
        room = abs(high) * padding or 0.5
    return low - room, high + room


def position(value: float, over: Range) -> float:
    """Return the place of `value` between the ends of `over` in percent; values beyond an end stand at it."""
    low, high = over
    return round(100 * min(max((value - low) / (high - low), 0.0), 1.0), 2)


def ticks(over: Range, count: int = 4) -> list[float]:
    """Return the multiples of 1, 2 or 5 × 10^k within `over`, by a step that gives about `count`."""
    low, high = over
    power = 10.0 ** math.floor(math.log10((high - low) / count))
    steps = [factor * power for factor in (1, 2, 5, 10)]
    step = min(steps, key=lambda step: abs((high - low) / step - count))
    # 1e-9: a tick at the very end counts, although the division may come out a rounding error beyond it.
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 12) + 0.0 for n in range(first, last + 1)]  # + 0.0 turns -0.0 into 0.0


def tick_label(value: float) -> str:
    return f"{value:,.10g}".replace("-", MINUS)


def axis(over: Range, count: int = 4, label: Callable[[float], str] = tick_label) -> list[tuple[str, float]]:
    """Return the label and the position in percent of every tick."""
    return [(label(tick), position(tick, over)) for tick in ticks(over, count)]


# Histograms and curves


def bars(counts: Sequence[int], most: int, base: float = 100.0, height: float = 100.0) -> str:
    """Return the path of a bar for every count, in percent of a plot.

    Bars stand on the line at `base` (0 is the top); `most` rows are `height` high, downwards if negative.
    """
    width = 100 / len(counts)
    gap = 0.06 * width
    path = ""
    for i, count in enumerate(counts):
        if count:
            left, right = i * width + gap, (i + 1) * width - gap
            path += f"M{left:.2f} {base:g}V{base - height * count / most:.2f}H{right:.2f}V{base:g}Z"
    return path


def running_mean(points: Sequence[Point], width: int) -> list[Point]:
    """Return every point at the mean of the `width` points around it, fewer at the ends."""
    half = width // 2
    means = []
    for i, (x, _) in enumerate(points):
        window = [y for _, y in points[max(0, i - half) : i + half + 1]]
        means.append((x, sum(window) / len(window)))
    return means


def curve_points(rows: Iterable[Mapping[str, Any]], column: str) -> list[Point]:
    """Return (step, value) for the rows of a training log with a finite value; none for fewer than two."""
    points = []
    for row in rows:
        value = row.get(column)
        if isinstance(value, int | float) and math.isfinite(value):
            points.append((float(row["step"]), float(value)))
    return points if len(points) > 1 else []


def curve_svg(title: str, points: Sequence[Point], y: Range) -> str:
    """Return one curve as an SVG element for the report."""
    return _svg(CURVE_WIDTH, CURVE_HEIGHT, f"{title} by step", _curve(title, points, y))


def curve_pictures(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, str]:
    """Return {path: SVG} of the curves of a training log; `columns` is {column: title}."""
    curves = {title: curve_points(rows, column) for column, title in columns.items()}
    curves = {title: points for title, points in curves.items() if points}
    columns_shown = min(len(curves), 2)  # more in a row would be too small to read in the column of a card
    width, height = columns_shown * CURVE_WIDTH, -(-len(curves) // 2) * CURVE_HEIGHT
    drawing = []
    for n, (title, points) in enumerate(curves.items()):
        left, top = n % 2 * CURVE_WIDTH, n // 2 * CURVE_HEIGHT
        curve = _curve(title, points, extent(y for _, y in points))
        drawing += [f'<g transform="translate({left} {top})">', *curve, "</g>"]
    return _pictures("curve", width, height, "Training curves", drawing) if curves else {}


def _curve(title: str, points: Sequence[Point], y: Range) -> list[str]:
    """Draw a curve with its axes; from 36 points on, it is a running mean over a thin line of the points."""
    x = extent((step for step, _ in points), padding=0.0)
    right, bottom = PLOT_LEFT + PLOT_WIDTH, PLOT_TOP + PLOT_HEIGHT
    window = len(points) // 12
    mean = running_mean(points, window) if window > 2 else points

    def place(point: Point) -> str:
        across, up = position(point[0], x) / 100, position(point[1], y) / 100
        return f"{PLOT_LEFT + PLOT_WIDTH * across:.1f} {bottom - PLOT_HEIGHT * up:.1f}"

    def line(through: Sequence[Point], style: str) -> str:
        path = "L".join(place(point) for point in through)
        return f'<path d="M{path}" fill="none" stroke="var(--trained)" {style}/>'

    drawing = [
        _text(PLOT_LEFT, 18, title, "ink", weight=600),
        _text(right, 18, f"{mean[-1][1]:.4g} at the end".replace("-", MINUS), "soft", "end"),
        _text(PLOT_LEFT, bottom + 18, f"step {points[0][0]:,.0f}", "soft"),
        _text(right, bottom + 18, f"{points[-1][0]:,.0f}", "soft", "end"),
    ]
    for label, up in axis(y, 3):
        height = round(bottom - PLOT_HEIGHT * up / 100, 1)
        drawing.append(f'<path d="M{PLOT_LEFT} {height}h{PLOT_WIDTH}" stroke="var(--rule)"/>')
        drawing.append(_text(PLOT_LEFT - 8, height + 4, label, "soft", "end"))
    if window > 2:
        drawing.append(line(points, 'stroke-opacity="0.3"'))
    drawing.append(line(mean, 'stroke-width="2" stroke-linejoin="round"'))
    end_x, end_y = place(mean[-1]).split()
    drawing.append(f'<circle cx="{end_x}" cy="{end_y}" r="3.5" fill="var(--trained)"/>')
    return drawing


# Quantiles by language


def score_pictures(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return {path: SVG} of the quantiles of scores and margins by language; empty without scores."""
    panels = _score_panels(facts["languages"])
    names = set[str]().union(*panels)
    quantiles = {}
    for code in by_name(facts["languages"]):
        measured = facts["languages"][code]["quantiles"]
        if any(measured.get(name) for name in names):
            quantiles[code] = measured
    width, height = NAMES + len(panels) * (PANEL + GAP), HEAD + ROW * len(quantiles) + 40
    drawing = [_text(12, height - 10, QUANTILE_LEGEND, "soft")]
    for row, code in enumerate(quantiles):
        drawing.append(_text(12, HEAD + ROW * row + 15, LANGUAGES[code].name, "ink"))
    for n, series in enumerate(panels):
        drawing += _panel(NAMES + n * (PANEL + GAP), series, list(quantiles.values()))
    title = "Quantiles of scores and margins by language"
    return _pictures("scores", width, height, title, drawing) if panels else {}


def _score_panels(languages: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what every panel shows: {name of the quantiles: name of their colour}."""
    names: dict[str, None] = {}
    for measured in languages.values():
        names |= dict.fromkeys(name for name, quantiles in measured["quantiles"].items() if quantiles)
    if "chosen_score" in names and "rejected_score" in names:
        return [{"chosen_score": "chosen", "rejected_score": "rejected"}, {"margin": "neutral"}]
    return [{name: "neutral"} for name in names if name.endswith("score")][:2]


def _panel(
    left: int, series: Mapping[str, str], languages: Sequence[Mapping[str, Mapping[str, float]]]
) -> list[str]:
    """Draw the quantiles of every language, {name: {quantile: value}} each, in the panel from `left` on."""
    over = score_range(languages, series)
    drawing = []
    title = ""
    for name, colour in series.items():
        fill = "ink" if len(series) == 1 else colour  # several names are their own legend
        title += f'<tspan fill="var(--{fill})">{escape(name.replace("_", " "))}</tspan>  '
    drawing.append(f'<text x="{left}" y="18" font-weight="600" xml:space="preserve">{title.rstrip()}</text>')
    for label, at in axis(over):
        x = round(left + PANEL * at / 100, 1)
        drawing.append(f'<path d="M{x} {HEAD - 6}V{HEAD + ROW * len(languages)}" stroke="var(--rule)"/>')
        drawing.append(_text(x, HEAD - 10, label, "soft", "middle"))
    for row, measured in enumerate(languages):
        for n, (name, colour) in enumerate(series.items()):
            y = HEAD + ROW * row + (11 if len(series) == 1 else 7 + 9 * n)
            if measured.get(name):
                drawing += _box(left, y, measured[name], over, colour)
    return drawing


def score_range(languages: Iterable[Mapping[str, Mapping[str, float]]], names: Iterable[str]) -> Range:
    """Return the range that holds the quantiles called `names` of all languages."""
    names = list(names)
    ends = []
    for measured in languages:
        for name in names:
            quantiles = measured.get(name)
            if quantiles:
                ends += [quantiles["p5"], quantiles["p95"]]
    return extent(ends)


def _box(left: int, y: int, quantiles: Mapping[str, float], over: Range, colour: str) -> list[str]:
    """Draw the quantiles of one language on the line at `y`."""
    x = {name: round(left + PANEL * position(value, over) / 100, 1) for name, value in quantiles.items()}
    width = max(x["p75"] - x["p25"], 1)
    return [
        f'<path d="M{x["p5"]} {y}H{x["p95"]}" stroke="var(--{colour})"/>',
        f'<rect x="{x["p25"]}" y="{y - 3}" width="{width:.1f}" height="6" fill="var(--{colour})"/>',
        f'<path d="M{x["p50"]} {y - 4}v8" stroke="var(--ground)" stroke-width="2"/>',
    ]


# SVG


def _pictures(name: str, width: int, height: int, description: str, drawing: Sequence[str]) -> dict[str, str]:
    """Return {path: SVG} of a drawing in both themes.

    Each file has its own ground: a page may be dark although the reader's system is not.
    """
    ground = f'<rect width="{width}" height="{height}" rx="6" fill="var(--ground)"/>'
    attributes = f'xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    themeless = _svg(width, height, description, [ground, *drawing], attributes)
    pictures = {}
    for theme, colours in THEMES.items():
        svg = themeless
        for variable, colour in colours.items():
            svg = svg.replace(f"var(--{variable})", colour)
        pictures[f"assets/{name}-{theme}.svg"] = svg
    return pictures


def _svg(width: int, height: int, description: str, drawing: Sequence[str], attributes: str = "") -> str:
    head = (
        f'<svg {attributes}viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="{escape(description)}">'
    )
    return "\n".join([head, *drawing, "</svg>\n"])


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start", weight: int = 400) -> str:
    style = f'fill="var(--{colour})" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'
