"""The section on training: the curves and settings of every checkpoint that has a training log."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from polypref.cards.charts import Point, curve_points, curve_svg, extent
from polypref.eval.report.json_files import read_log, read_object

NOT_SETTINGS = {"method", "base", "data", "reward"}  # the method's name and digests of what was trained on


def training_runs(folder: Path) -> list[dict[str, Any]]:
    """Return the runs under `checkpoints/`; a measure has the same vertical scale in all of them."""
    runs: list[dict[str, Any]] = []
    values: dict[str, list[float]] = {}  # of all runs, by the title of the curve
    for path in sorted(folder.glob("*/training_log.jsonl")):
        log, record = read_log(path), _training(path.parent)
        columns = record["method"]["curve"] if record else _numeric_columns(log)
        curves: dict[str, list[Point]] = {}
        for column, title in columns.items():
            points = curve_points(log, column)
            if points:
                curves[title] = points
                values.setdefault(title, []).extend(value for _, value in points)
        settings = _settings(record["key"]) if record else {}
        runs.append({"name": path.parent.name, "record": record, "settings": settings, "curves": curves})
    for run in runs:
        run["charts"] = [
            curve_svg(title, curve, extent(values[title])) for title, curve in run["curves"].items()
        ]
    return runs


def _training(folder: Path) -> dict[str, Any] | None:
    """Return training.json of a checkpoint, finished or under way; None without one."""
    for path in (folder / "training.json", folder / "checkpoints" / "training.json"):
        if path.exists():
            return read_object(path, "key", "data", "method")
    return None


def _numeric_columns(log: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return every column of a log with a number, and its title, for a log that does not say what to draw."""
    columns = {}
    for row in log:
        for name, value in row.items():
            if name != "step" and isinstance(value, int | float):
                columns[name] = name.replace("_", " ")
    return columns


def _settings(key: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, value in key.items():
        if isinstance(value, Mapping) and name not in NOT_SETTINGS:  # lora: rank and the like
            settings |= {f"{name} {inner}": inner_value for inner, inner_value in value.items()}
        elif value is not None and name not in NOT_SETTINGS:
            settings[name] = value
    return settings
