"""The section on win rates: wins minus losses of every model and judge, over all languages and in each."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from polypref.cards.charts import MINUS, Range, axis, extent, position
from polypref.eval.report.formats import measure
from polypref.eval.report.json_files import read_object
from polypref.languages.codes import by_name

JUDGES = {"oracle": "the oracle (it knows the right answers)", "reward_model": "the reward model"}


def describe_judge(name: str) -> str:
    """Return a judge's name, with a word on what it knows where the name does not say it."""
    return JUDGES.get(name, name)


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
                names = {"model": model, "judge": judge, "base": result["base"]}
                rows.append({**names, **by_judge[judge]})
    over = _range(rows)
    for row in rows:
        row |= _place(row, over)
        row["by_language"] = _by_language(row["languages"])
    means = {}
    for model in result["models"]:
        means[model] = [measure(result["mean_score"][judge][model]["all"]) for judge in judges]
    data = Path(result["prompts"]["name"])
    return {
        "name": path.parent.relative_to(folder).as_posix().replace(".", ""),  # empty for eval/winrate.json
        "result": result,
        "data": data.name if data.is_absolute() else str(data),
        "judges": judges,
        "descriptions": [describe_judge(judge) for judge in judges],
        "ticks": _ticks(over),
        "zero": position(0, over),
        "rows": rows,
        "means": means,
    }


def _by_language(languages: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    over = _range(languages.values())
    rows = {code: {**languages[code], **_place(languages[code], over)} for code in by_name(languages)}
    return {"ticks": _ticks(over), "zero": position(0, over), "rows": rows}


def _range(rows: Iterable[Mapping[str, Any]]) -> Range:
    """Return the range of all intervals; zero, where nothing is gained or lost, is always in it."""
    ends = [0.0]
    for row in rows:
        ends += [row[name] for name in ("low", "high", "difference") if row[name] is not None]
    return extent(ends, padding=0.06)


def _place(row: Mapping[str, Any], over: Range) -> dict[str, Any]:
    """Return the positions of a difference and of the ends of its interval, in percent."""
    ends = [row["difference"] if row[name] is None else row[name] for name in ("low", "high")]
    return {"at": position(row["difference"], over), "ends": [position(end, over) for end in ends]}


def _ticks(over: Range) -> list[tuple[str, float]]:
    return axis(over, label=_points_label)


def _points_label(share: float) -> str:
    return f"{100 * share:+.3g}".replace("-", MINUS) if share else "0"
