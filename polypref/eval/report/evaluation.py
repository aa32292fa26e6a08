"""The section on win rates: wins minus losses of every model and judge, over all languages and in each."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from polypref.cards.charts import MINUS, Range, axis, extent
from polypref.eval.report.json_files import read_object


def evaluations(rundir: Path) -> list[dict[str, Any]]:
    """Return every win-rate evaluation under the run's `eval/`."""
    folder = rundir / "eval"
    return [_evaluation(path, folder) for path in sorted(folder.rglob("winrate.json"))]


def _evaluation(path: Path, folder: Path) -> dict[str, Any]:
    result = read_object(path, "base", "prompts", "models", "without_completion", "mean_score", "winrate")
    # The reward model comes last: training used it or one like it, so its verdict says the least.
    judges = sorted(result["mean_score"], key=lambda judge: judge == "reward_model")
    rows = []
    for model, by_judge in result["winrate"].items():
        for judge in judges:
            if judge in by_judge:
                rows.append({"model": model, "judge": judge, **by_judge[judge]})
    data = Path(result["prompts"]["name"])
    return {
        "name": path.parent.relative_to(folder).as_posix().replace(".", ""),  # empty for eval/winrate.json
        "result": result,
        "data": data.name if data.is_absolute() else str(data),
        "judges": judges,
        "rows": rows,
    }


def interval_range(rows: Iterable[Mapping[str, Any]]) -> Range:
    """Return the range of all intervals; zero, where nothing is gained or lost, is always in it."""
    ends = [0.0]
    for row in rows:
        ends += [row[name] for name in ("low", "high", "difference") if row[name] is not None]
    return extent(ends, padding=0.06)


def points_axis(over: Range) -> list[tuple[str, float]]:
    """Return the label, in percentage points, and the position of every tick."""
    return axis(over, label=_points_label)


def _points_label(share: float) -> str:
    return f"{100 * share:+.3g}".replace("-", MINUS) if share else "0"
