"""The geometry of the report's charts: positions and SVG paths in percent of a plot, x from the left and y from the top.

A plot is stretched to whatever width a screen has, so what must not be stretched with it (labels, dots) is placed by CSS.
"""

import math
from collections.abc import Sequence

Point = tuple[float, float]
Range = tuple[float, float]


def position(value: float, over: Range) -> float:
    """Where `value` stands between the ends of `over`, in percent; values beyond them stand at the ends."""
    low, high = over
    return round(100 * min(max((value - low) / (high - low), 0.0), 1.0), 2)


def extent(values: Sequence[float], *, include: Sequence[float] = (), padding: float = 0.05) -> Range:
    """The range of `values` and `include`, a little wider on each side than its values; never empty."""
    low, high = min([*values, *include], default=0.0), max([*values, *include], default=1.0)
    room = (high - low) * padding or abs(high) * padding or 0.5
    fixed = set(include) - set(values)
    return (low if low in fixed else low - room), (high if high in fixed else high + room)


def ticks(over: Range, about: int = 4) -> list[float]:
    """Round numbers within `over`: multiples of 1, 2 or 5 times a power of ten, as near to `about` of them as such steps allow."""
    low, high = over
    power = 10.0 ** math.floor(math.log10((high - low) / about))
    step = min(
        (factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs((high - low) / step - about)
    )
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 12) + 0.0 for n in range(first, last + 1)]


def line(points: Sequence[Point], x: Range, y: Range) -> str:
    """The path through `points`."""
    return "M" + "L".join(f"{position(a, x):g} {100 - position(b, y):g}" for a, b in points)


def running_mean(points: Sequence[Point], width: int) -> list[Point]:
    """Each point at the mean of the `width` points around it, fewer at the ends."""
    half, values = width // 2, [value for _, value in points]
    windows = (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    return [(at, sum(window) / len(window)) for (at, _), window in zip(points, windows, strict=True)]


def histogram(values: Sequence[float], over: Range, bins: int) -> list[int]:
    """How many values fall into each of `bins` equal parts of `over`."""
    import numpy as np

    return [int(count) for count in np.histogram(values, bins=bins, range=over)[0]]


def bars(counts: Sequence[int], most: int, *, base: float = 100.0, height: float = 100.0) -> str:
    """The path of one bar a count, from the line at `base`, the highest (`most`) of `height`; a negative height hangs them down."""
    width = 100 / len(counts)
    return "".join(
        f"M{i * width + width * 0.06:.2f} {base:g}V{base - height * count / most:.2f}H{(i + 1) * width - width * 0.06:.2f}V{base:g}Z"
        for i, count in enumerate(counts)
        if count
    )
