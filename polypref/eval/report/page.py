"""The report of a run as one self-contained HTML page.

It shows the rows, pairs, training curves and win rates that lie in the run's folder and says which are
missing. It computes no result of its own and shows texts as they are: nothing here checks their language.
"""

import math
from pathlib import Path
from typing import Any

from polypref.cards.charts import MINUS, axis, css_variables, position
from polypref.cards.folder import read_facts
from polypref.cards.render import format_number
from polypref.errors import InputError
from polypref.eval.report import evaluation, funnel, json_files, pairs, samples, training
from polypref.files import write_atomically
from polypref.languages.codes import LANGUAGES, by_name

LONGEST = 4000  # characters of a sample's message that are shown


def write_report(rundir: Path, output: Path | None = None) -> Path:
    """Write the page of a run's folder, by default to report.html in it, and return its path.

    Raises InputError where there are no published pairs, and for a file that cannot be parsed.
    """
    target = output or rundir / "report.html"
    text = _environment().get_template("report.html").render(view(rundir))
    with write_atomically(target) as temporary:
        temporary.write_text(text, "utf-8", "replace")  # published texts may hold lone surrogates
    return target


def view(rundir: Path) -> dict[str, Any]:
    """Return everything that the page shows; a section without data is None or empty."""
    folder = rundir / "published" / "pairs"
    facts = read_facts(folder)
    if facts is None:
        raise InputError(f"{folder}: found no facts.json, expected the published pairs of a run")
    completions = funnel.completion_tables(facts["funnel"])
    has_pairs = any(language["files"] for language in facts["languages"].values())
    results = rundir / "results.json"
    return {
        "facts": facts,
        "prompts": funnel.prompt_table(facts["funnel"], facts["languages"]),
        "completions": completions,
        "rejected_completions": sum(table.ended("reason") for table in completions),
        "languages": pairs.language_lines(facts),
        "scores": pairs.score_histograms(folder) if has_pairs else None,
        "samples": samples.sample_pairs(rundir / "published", facts),
        "runs": training.training_runs(rundir / "checkpoints"),
        "winrates": evaluation.evaluations(rundir),
        "seconds": json_files.read_object(results).get("seconds") if results.exists() else None,
    }


def measure(value: float | None) -> str:
    """Return a measured number in four digits; nothing for None."""
    return format_number(value).replace("-", MINUS)


def points(share: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", MINUS)


def duration(seconds: float) -> str:
    """Return a time to the second, or to the minute from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
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
        "position": position,
    }
    environment.globals |= {
        "LANGUAGES": LANGUAGES,
        "LONGEST": LONGEST,
        "axis": axis,
        "by_name": by_name,
        "css_variables": css_variables,
        "interval_range": evaluation.interval_range,
        "points_axis": evaluation.points_axis,
        "sqrt": lambda share: math.sqrt(max(share, 0.0)),  # a share of unaccounted rows may be negative
    }
    return environment
