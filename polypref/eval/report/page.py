"""The report of a run as one self-contained HTML page.

It shows the rows, pairs, training curves and win rates that lie in the run's folder and says which are
missing. It computes no result of its own and shows texts as they are: nothing here checks their language.
"""

import math
from pathlib import Path
from typing import Any

from polypref.cards.charts import css_variables
from polypref.cards.folder import Facts, read_facts
from polypref.errors import InputError
from polypref.eval.report.evaluation import evaluations
from polypref.eval.report.figures import key_figures
from polypref.eval.report.formats import duration, measure, points
from polypref.eval.report.funnel import completion_tables, prompt_table
from polypref.eval.report.json_files import read_object
from polypref.eval.report.pairs import language_lines, score_histograms
from polypref.eval.report.samples import sample_pairs
from polypref.eval.report.training import training_runs
from polypref.files import write_atomically
from polypref.languages.codes import LANGUAGES

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
    prompts = prompt_table(facts["funnel"], facts["languages"])
    completions = completion_tables(facts["funnel"])
    winrates = evaluations(rundir)
    has_pairs = any(language["files"] for language in facts["languages"].values())
    return {
        "facts": facts,
        "figures": key_figures(facts, prompts, completions, winrates),
        "prompts": prompts,
        "completions": completions,
        "languages": language_lines(facts),
        "scores": score_histograms(folder) if has_pairs else None,
        "samples": sample_pairs(rundir / "published", facts),
        "runs": training_runs(rundir / "checkpoints"),
        "winrates": winrates,
        **_provenance(facts),
        "seconds": _seconds(rundir / "results.json"),
    }


def _provenance(facts: Facts) -> dict[str, list[Any]]:
    """Return the models, sources and recipes of all builds that the published pairs come from."""
    models: list[Any] = []
    sources: list[str] = []
    recipes: list[str] = []
    for build in facts["builds"].values():
        models += build["models"]
        sources += [source for source in build["sources"] if source not in sources]
        if build["recipe"] and build["recipe"] not in recipes:
            recipes.append(build["recipe"])
    return {"models": models, "sources": sources, "recipes": recipes}


def _seconds(path: Path) -> float | None:
    return read_object(path).get("seconds") if path.exists() else None


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
    }
    environment.globals |= {
        "LANGUAGES": LANGUAGES,
        "LONGEST": LONGEST,
        "css_variables": css_variables,
        "sqrt": lambda share: math.sqrt(max(share, 0.0)),  # a share of unaccounted rows may be negative
    }
    return environment
