"""The figures at the top of the page."""

from collections.abc import Sequence
from typing import Any

from polypref.cards.folder import Facts
from polypref.eval.report.evaluation import describe_judge
from polypref.eval.report.formats import points
from polypref.eval.report.funnel import FunnelTable
from polypref.eval.report.pairs import rows_by_split
from polypref.languages.codes import LANGUAGES

Figure = dict[str, str]  # label, value and detail


def key_figures(
    facts: Facts,
    prompts: FunnelTable | None,
    completions: Sequence[FunnelTable],
    evaluations: Sequence[dict[str, Any]],
) -> list[Figure]:
    """Return the figures of a run, without those of stages that it has not reached."""
    figures = [_pairs(facts), _languages(facts)]
    if prompts is not None:
        figures += _rows(prompts, completions)
    for evaluation in evaluations[:1]:
        figures += [_winrate(row) for row in evaluation["rows"][:1]]
    return figures


def _pairs(facts: Facts) -> Figure:
    splits = [rows_by_split(language) for language in facts["languages"].values()]
    train = sum(rows["train"] for rows in splits)
    test = sum(rows["test"] for rows in splits)
    return _figure("Pairs", f"{train + test:,}", f"{train:,} for training, {test:,} for testing")


def _languages(facts: Facts) -> Figure:
    codes = [code for code, language in facts["languages"].items() if language["files"]]
    scripts = len({LANGUAGES[code].script for code in codes})
    without = len(facts["languages"]) - len(codes)
    more = f"; {without} more without pairs" if without else ""
    return _figure("Languages", f"{len(codes):,}", f"in {scripts} script{'s' * (scripts != 1)}{more}")


def _rows(prompts: FunnelTable, completions: Sequence[FunnelTable]) -> list[Figure]:
    aside = prompts.ended("aside")
    judged = prompts.total()[0] - aside
    rejected_prompts = prompts.left_out()
    rejected_completions = sum(table.ended("reason") for table in completions)
    more = f"; {aside:,} more set aside" if aside else ""
    return [
        _figure("Prompts", f"{judged - rejected_prompts:,}", f"kept of {judged:,}, over all languages{more}"),
        _figure(
            "Rejected rows",
            f"{rejected_prompts + rejected_completions:,}",
            f"by filters: {rejected_prompts:,} prompts, {rejected_completions:,} completions",
        ),
    ]


def _winrate(row: dict[str, Any]) -> Figure:
    detail = (
        f"points: {row['model']} wins {row['win']:.1%} and loses {row['loss']:.1%} against {row['base']},"
        f" the model before training, by {describe_judge(row['judge'])}"
    )
    if row["low"] is not None:
        detail += f"; 95% interval {points(row['low'])} to {points(row['high'])}"
    return _figure("Wins minus losses", points(row["difference"]), detail)


def _figure(label: str, value: str, detail: str) -> Figure:
    return {"label": label, "value": value, "detail": detail}
