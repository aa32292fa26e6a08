"""One self-contained HTML page of a run: what became of its rows, what the pairs look like, how training went, who wins.

It shows what lies in the run's folder and says what does not; it computes no result of its own. Texts of the data are
shown as found: whether a text is in its language, it does not know.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from polypref.cards.dataset_card import number
from polypref.cards.folder import Facts, read_facts
from polypref.cards.load import scan_published
from polypref.errors import InputError
from polypref.eval.report import charts
from polypref.eval.report.funnel import FunnelTable, completion_tables, prompt_table
from polypref.files import write_atomically
from polypref.languages.codes import LANGUAGES
from polypref.schemas import uniform

View = dict[str, Any]  # what the template shows

TEMPLATES = Path(__file__).with_name("templates")
SAMPLES = 6  # languages that a pair is shown of
LONGEST = 4000  # characters of a sample's message that are shown
BINS = 36
SETTINGS = ("beta", "learning_rate", "batch_size", "epochs", "max_steps", "seed", "control")


def write_report(rundir: Path, output: Path | None = None) -> Path:
    """Writes the page of a run's folder, by default as report.html in it, and returns its path.

    Raises InputError where there are no published pairs, and for a file that cannot be parsed.
    """
    target = output or rundir / "report.html"
    text = _environment().get_template("report.html").render(view(rundir))
    with write_atomically(target) as temporary:
        temporary.write_text(text, "utf-8", "replace")
    return target


def view(rundir: Path) -> View:
    """Everything that the page says, section by section; a section without data is None."""
    folder = rundir / "published" / "pairs"
    facts = read_facts(folder)
    if facts is None:
        raise InputError(f"{folder}: found no facts.json, expected the published pairs of a run")
    facts["languages"] = _by_name(facts["languages"])
    prompts = prompt_table(facts["funnel"], facts["languages"])
    completions = completion_tables(facts["funnel"])
    winrates = [_winrate(path, rundir) for path in sorted((rundir / "eval").rglob("winrate.json"))]
    results = _json(rundir / "results.json") if (rundir / "results.json").exists() else {}
    return {
        "facts": facts,
        "figures": _figures(facts, prompts, completions, winrates),
        "seconds": results.get("seconds"),
        "prompts": prompts,
        "completions": completions,
        "languages": _languages(facts),
        "scores": _scores(folder) if _codes(facts) else None,
        "samples": _samples(rundir / "published", facts),
        "runs": _runs(rundir / "checkpoints"),
        "winrates": winrates,
        "models": [model for build in facts["builds"].values() for model in build["models"]],
        "sources": list(
            dict.fromkeys(source for build in facts["builds"].values() for source in build["sources"])
        ),
        "recipes": list(
            dict.fromkeys(build["recipe"] for build in facts["builds"].values() if build["recipe"])
        ),
    }


def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "share": "{:.1%}".format,
        "rows": "{:,}".format,
        "measure": measure,
        "points": points,
        "duration": duration,
    }
    environment.globals |= {
        "LANGUAGES": LANGUAGES,
        "LONGEST": LONGEST,
        "settings": SETTINGS,
        "sqrt": lambda share: math.sqrt(max(share, 0.0)),
    }
    return environment


def measure(value: float | None) -> str:
    """A measured number in four digits, with a real minus sign; nothing for None."""
    return number(value).replace("-", "\N{MINUS SIGN}")


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}")


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _by_name(languages: Mapping[str, Any]) -> dict[str, Any]:
    """In the order of the languages' English names."""
    return dict(sorted(languages.items(), key=lambda item: LANGUAGES[item[0]].name))


def _codes(facts: Facts) -> list[str]:
    """The languages that have pairs."""
    return [code for code, about in facts["languages"].items() if about["files"]]


# The figures at the top


def _figures(
    facts: Facts, prompts: FunnelTable | None, completions: Sequence[FunnelTable], winrates: Sequence[View]
) -> list[View]:
    codes = _codes(facts)
    split = {name: sum(_rows(facts, code, name) for code in codes) for name in ("train", "test")}
    scripts = len({LANGUAGES[code].script for code in codes})
    found = [
        _figure(
            "Pairs",
            f"{sum(split.values()):,}",
            f"{split['train']:,} to train on, {split['test']:,} to test on",
        ),
        _figure(
            "Languages",
            f"{len(codes):,}",
            f"in {scripts} script{'s' * (scripts != 1)}, of {len(facts['languages'])} in the run",
        ),
    ]
    if prompts:
        left_out = prompts.left_out()
        in_play = prompts.total()[0] - prompts.ended("aside")
        kept = in_play - left_out
        aside = f"; {prompts.ended('aside'):,} more set aside" if prompts.ended("aside") else ""
        rejected = left_out, sum(table.ended("reason") for table in completions)
        found += [
            _figure("Prompts", f"{kept:,}", f"kept of {in_play:,}, each language counted{aside}"),
            _figure(
                "Rejected rows",
                f"{sum(rejected):,}",
                f"by filters: {rejected[0]:,} prompts, {rejected[1]:,} completions",
            ),
        ]
    for row in [row for winrate in winrates for row in winrate["rows"]][:1]:
        interval = (
            f"; 95% interval of the difference {points(row['low'])} to {points(row['high'])}"
            if row["low"] is not None
            else ""
        )
        detail = f"points: {row['model']} against {row['base']}, by {row['judge']}, wins {row['win']:.1%} and loses {row['loss']:.1%}"
        found.append(_figure("Wins minus losses", points(row["difference"]), detail + interval))
    return found


def _figure(label: str, value: str, detail: str) -> View:
    return {"label": label, "value": value, "detail": detail}


# Languages, scores and samples


def _rows(facts: Facts, code: str, split: str) -> int:
    return sum(file["rows"] for file in facts["languages"][code]["files"] if file["split"] == split)


def _languages(facts: Facts) -> View:
    """A line a language: its pairs, where its chosen completions come from, and its scores on one scale."""
    languages = facts["languages"]
    most = (
        max((_rows(facts, code, "train") + _rows(facts, code, "test") for code in languages), default=0) or 1
    )
    by = (
        "origin"
        if len({value for about in languages.values() for value in about["counts"]["chosen_origin"]}) > 1
        else "model"
    )
    values = sorted({value for about in languages.values() for value in about["counts"][f"chosen_{by}"]})
    quantiles = [
        about["quantiles"][f"{side}_score"] for about in languages.values() for side in ("chosen", "rejected")
    ]
    over = charts.extent([q[end] for q in quantiles if q for end in ("p5", "p95")])
    return {
        "by": by,
        "values": values,
        "ticks": [(measure(tick), charts.position(tick, over)) for tick in charts.ticks(over)],
        "rows": [
            {
                "code": code,
                **{split: _rows(facts, code, split) for split in ("train", "test")},
                **{f"{split}_width": 100 * _rows(facts, code, split) / most for split in ("train", "test")},
                "shares": (shares := _shares(about["counts"][f"chosen_{by}"], values)),
                "said": max(shares, key=lambda share: share[1], default=None)
                if by == "model"
                else next(iter(shares), None),
                "margin": about["quantiles"]["margin"].get("p50"),
                "medians": {
                    side: about["quantiles"][f"{side}_score"].get("p50") for side in ("chosen", "rejected")
                },
                "boxes": {
                    side: {
                        name: charts.position(value, over)
                        for name, value in about["quantiles"][f"{side}_score"].items()
                    }
                    for side in ("chosen", "rejected")
                },
            }
            for code, about in languages.items()
        ],
    }


def _shares(counts: Mapping[str, int], values: Sequence[str]) -> list[tuple[str, float]]:
    total = sum(counts.values())
    return [(value, counts.get(value, 0) / total) for value in values] if total else []


def _scores(folder: Path) -> View | None:
    """Histograms over all languages: the scores of chosen and rejected on one axis, and the margins; None without scores."""
    rows = scan_published(folder, columns=("chosen_score", "rejected_score", "margin")).drop_nulls().collect()
    if rows.is_empty():
        return None
    chosen, rejected, margins = (
        rows[name].to_list() for name in ("chosen_score", "rejected_score", "margin")
    )
    over, over_margin = (
        charts.extent([*chosen, *rejected], padding=0.02),
        charts.extent(margins, include=[0.0], padding=0.02),
    )
    above, below, counts = (
        charts.histogram(values, wide, BINS)
        for values, wide in ((chosen, over), (rejected, over), (margins, over_margin))
    )
    most = max(*above, *below)
    return {
        "pairs": rows.height,
        "chosen": charts.bars(above, most, base=50, height=48),
        "rejected": charts.bars(below, most, base=50, height=-48),
        "ticks": [(measure(tick), charts.position(tick, over)) for tick in charts.ticks(over, 5)],
        "margins": charts.bars(counts, max(counts), height=96),
        "margin_ticks": [
            (measure(tick), charts.position(tick, over_margin)) for tick in charts.ticks(over_margin, 5)
        ],
        "medians": [rows[name].median() for name in ("chosen_score", "rejected_score", "margin")],
    }


def sampled_languages(pairs: Mapping[str, int], count: int = SAMPLES) -> list[str]:
    """`count` of the languages that have pairs, in as many scripts as there are and with one from right to left, if there is one.

    Of a script the language with the most pairs (English last), scripts with more pairs before others; ties by code.
    """
    ranked = sorted(
        (code for code in pairs if pairs[code]), key=lambda code: (code == "eng_Latn", -pairs[code], code)
    )
    firsts: dict[str, str] = {}
    for code in ranked:
        firsts.setdefault(LANGUAGES[code].script, code)
    order = [*firsts.values(), *(code for code in ranked if code not in firsts.values())]
    leftward = [code for code in order if LANGUAGES[code].rtl][:1]
    return sorted([*leftward, *(code for code in order if code not in leftward)][:count], key=order.index)


def _samples(published: Path, facts: Facts) -> list[View]:
    """One pair of each sampled language, drawn by a hash of its prompt id, with the English prompt where there is one."""
    counts = {code: _rows(facts, code, "train") + _rows(facts, code, "test") for code in facts["languages"]}
    samples = []
    for code in sampled_languages(counts):
        ids = (
            scan_published(published / "pairs", languages=[code], columns=("prompt_id",))
            .collect()["prompt_id"]
            .to_list()
        )
        drawn = min(ids, key=lambda id_: uniform(id_, f"report {code}"))
        pair = (
            scan_published(published / "pairs", languages=[code])
            .filter(pl.col("prompt_id") == drawn)
            .sort("builder", "rank")
            .first()
            .collect()
        )
        samples.append(
            {"code": code, "english": _english(published / "prompts", code, drawn), **pair.to_dicts()[0]}
        )
    return samples


def _english(folder: Path, code: str, prompt_id: str) -> list[dict[str, str]] | None:
    about = (read_facts(folder) or {"languages": {}})["languages"].get(code)
    if code == "eng_Latn" or not about or not about["files"]:
        return None
    rows = (
        scan_published(folder, languages=[code], columns=("prompt_id", "prompt_en"))
        .filter(pl.col("prompt_id") == prompt_id)
        .collect()
    )
    return rows["prompt_en"].to_list()[0] if rows.height else None


# Training and evaluation


def _runs(folder: Path) -> list[View]:
    """Return the curves of every checkpoint with a training log; a measure has the same scale in all runs."""
    logs = {path.parent.name: _json_lines(path) for path in sorted(folder.glob("*/training_log.jsonl"))}
    trainings = {name: _training(folder / name) for name in logs}
    drawn = {}
    values: dict[str, list[float]] = {}
    for name, rows in logs.items():
        training = trainings[name]
        drawn[name] = _curves(rows, training["method"]["curve"]) if training else {}
        for label, curve in drawn[name].items():
            values.setdefault(label, []).extend(value for _, value in curve)
    spans = {label: charts.extent(numbers) for label, numbers in values.items()}
    return [
        {
            "name": name,
            "made": trainings[name],
            "charts": [{"name": label, **_chart(curve, spans[label])} for label, curve in curves.items()],
        }
        for name, curves in drawn.items()
    ]


def _training(folder: Path) -> View | None:
    """Return training.json of a checkpoint, finished or under way; None without one."""
    for path in (folder / "training.json", folder / "checkpoints" / "training.json"):
        if path.exists():
            return _json(path, "key", "data", "method")
    return None


def _curves(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, list[charts.Point]]:
    """Return the points of each column that the method draws, by the column's label."""
    curves = {}
    for key, label in columns.items():
        curve = [(float(row["step"]), float(row[key])) for row in rows if _is_finite(row.get(key))]
        if curve:
            curves[label] = curve
    return curves


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _chart(points: Sequence[charts.Point], y: charts.Range) -> View:
    x = charts.extent([step for step, _ in points], padding=0.0)
    width = len(points) // 12
    mean = charts.running_mean(points, width) if width > 2 else points
    return {
        "raw": charts.line(points, x, y) if width > 2 else None,
        "path": charts.line(mean, x, y),
        "last": measure(mean[-1][1]),
        "end": (charts.position(mean[-1][0], x), 100 - charts.position(mean[-1][1], y)),
        "ticks": [(measure(tick), 100 - charts.position(tick, y)) for tick in charts.ticks(y, 3)],
        "steps": (f"{points[0][0]:,.0f}", f"{points[-1][0]:,.0f}"),
    }


def _winrate(path: Path, rundir: Path) -> View:
    """One evaluation: its rows (model and judge, the judge that is no reward model first), placed on one scale."""
    result = _json(path, "base", "prompts", "models", "without_completion", "mean_score", "winrate")
    data = result["prompts"]["name"]
    judges = sorted(result["mean_score"], key=lambda judge: judge == "reward_model")
    rows = [
        {"model": model, "judge": judge.replace("_", " "), "base": result["base"], **games[judge]}
        for model, games in result["winrate"].items()
        for judge in judges
        if judge in games
    ]
    over = _forest_range(rows)
    return {
        "name": path.parent.relative_to(rundir / "eval").as_posix().replace(".", ""),
        "result": result,
        "data": Path(data).name if Path(data).is_absolute() else data,
        "judges": judges,
        "ticks": _forest_ticks(over),
        "zero": charts.position(0, over),
        "rows": [
            {**row, **_forest(row, over), "by_language": _winrate_languages(row["languages"])} for row in rows
        ],
        "means": {
            model: [measure(result["mean_score"][judge][model]["all"]) for judge in judges]
            for model in result["models"]
        },
    }


def _winrate_languages(languages: Mapping[str, View]) -> View:
    over = _forest_range(list(languages.values()))
    rows = {code: {**row, **_forest(row, over)} for code, row in _by_name(languages).items()}
    return {"ticks": _forest_ticks(over), "zero": charts.position(0, over), "rows": rows}


def _forest_range(rows: Sequence[View]) -> charts.Range:
    ends = [row[name] for row in rows for name in ("low", "high", "difference") if row[name] is not None]
    return charts.extent([*ends, 0.0], padding=0.06)


def _forest(row: View, over: charts.Range) -> View:
    ends = [row["difference"] if row[name] is None else row[name] for name in ("low", "high")]
    return {
        "at": charts.position(row["difference"], over),
        "ends": [charts.position(end, over) for end in ends],
    }


def _forest_ticks(over: charts.Range) -> list[tuple[str, float]]:
    labels = [(f"{100 * tick:+.3g}" if tick else "0", tick) for tick in charts.ticks(over)]
    return [(label.replace("-", "\N{MINUS SIGN}"), charts.position(tick, over)) for label, tick in labels]


# Files


def _json(path: Path, *keys: str) -> View:
    return _object(path.read_text("utf-8"), str(path), keys)


def _json_lines(path: Path) -> list[View]:
    lines = path.read_text("utf-8").splitlines()
    return [_object(text, f"{path}: line {line}", ("step",)) for line, text in enumerate(lines, 1)]


def _object(text: str, place: str, keys: Sequence[str]) -> View:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError(f"{place}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{place}: found {type(found).__name__}, expected an object")
    if missing := [key for key in keys if key not in found]:
        raise InputError(f"{place}: missing key {missing[0]!r}; found {', '.join(found) or 'none'}")
    return found
