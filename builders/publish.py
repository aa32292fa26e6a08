"""What a build publishes: its kept prompts and its pairs as folders with cards, and the funnel that leads there."""

from typing import Any

import polars as pl

from builders.build import Build
from builders.rows import name
from cards.errors import InputError
from cards.folder import write_dataset
from cards.tables import TABLES
from engines.config import HttpGenerator, PseudoTranslator, RewardModel
from store.parts import Part

Funnel = dict[str, int]  # step or reason -> rows, in the order of the build


def publish(build: Build, recipe_text: str, allow_incomplete: bool = False) -> dict[str, Funnel]:
    """Writes `published/prompts` and `published/pairs`; returns every language's funnel.

    Raises InputError where calls failed for now, unless told that incomplete tables may go out.
    """
    failed = sum(about.incomplete for code in build.languages for part in build.pair_parts(code) if (about := part.about()))
    if failed and not allow_incomplete:
        raise InputError(f"{build.workdir.path}: {failed} calls failed for now; run again, or publish with --allow-incomplete")
    recipe = build.recipe
    funnels = {code: funnel(build, code) for code in sorted({*build.languages, *build.found})}
    facts: dict[str, Any] = {
        "title": recipe.publish.title,
        "license": recipe.publish.license,
        "test_share": recipe.publish.test_share,
        "notes": list(recipe.publish.notes),
        "recipe": recipe_text,
        "sources": [name(source) for source in recipe.prompts.sources],
        "models": models(build),
        "languages": {code: {"funnel": funnel} for code, funnel in funnels.items()},
    }
    folder = build.workdir.published
    write_dataset(folder / "prompts", "prompts", prompts(build), facts | {"name": f"{recipe.publish.name}-prompts"})
    write_dataset(folder / "pairs", "pairs", pairs(build), facts | {"name": recipe.publish.name})
    return funnels


def prompts(build: Build) -> dict[str, pl.LazyFrame]:
    """The kept prompts of every language."""
    kept = {code: [part.path for group in build.prompt_parts(code) for part in group] for code in build.languages}
    return {code: pl.scan_parquet(paths).filter(pl.col("rejected_by").is_null()) for code, paths in kept.items()}


def pairs(build: Build) -> dict[str, pl.LazyFrame]:
    """The pairs of every language."""
    paths = {code: [part.path for part in build.pair_parts(code)] for code in build.languages}
    return {code: pl.scan_parquet(p).filter(pl.col("rejected_by").is_null()).select(*TABLES["pairs"]) for code, p in paths.items()}


def funnel(build: Build, code: str) -> Funnel:
    """How many rows each step of the build had in a language, and how many it rejected, by reason."""
    if code not in build.languages:
        return _counted("prompts", build.workdir.table("prompts", "source", code, parts=build.parts))
    steps = _counted("prompts", [part for group in build.prompt_parts(code) for part in group])
    for table, parts in build.completion_tables(code).items():
        steps |= _counted(f"{table} completions", parts)
    rejected = _counted("pairs", build.pair_parts(code))
    total = rejected.pop("pairs")
    return steps | {"pairs": total - sum(rejected.values())} | {step.replace("pairs: ", "no pair: "): n for step, n in rejected.items()}


def rejections(funnels: dict[str, Funnel]) -> dict[str, dict[str, int]]:
    """{reason: {language: rows}} over all steps."""
    found: dict[str, dict[str, int]] = {}
    for code, steps in funnels.items():
        for step, rows in steps.items():
            _, colon, reason = step.partition(": ")
            if colon:
                by_language = found.setdefault(reason, {})
                by_language[code] = by_language.get(code, 0) + rows
    return found


def models(build: Build) -> list[dict[str, str]]:
    """Role, name, model and resolved revision of every engine of the recipe."""
    recipe, found = build.recipe, []
    engines: list[tuple[str, str, Any]] = []
    if recipe.translate and recipe.translate.engine:
        engines.append(("translator", "translator", recipe.translate.engine))
    engines += [("generator", generator, config.engine) for generator, config in recipe.complete.generators.items() if config.engine]
    engines += [("reward model", scorer, config) for scorer, config in recipe.score.items() if isinstance(config, RewardModel)]
    for role, called, config in engines:
        if isinstance(config, HttpGenerator):
            model, revision = config.model, f"as served at {config.base_url}"
        elif isinstance(config, PseudoTranslator):
            model, revision = "pseudo-localisation", ""
        else:
            resolved = build.workdir.resolve(config.model, config.revision)
            model, revision = resolved.model, resolved.revision
        found.append({"role": role, "name": called, "model": model, "revision": revision})
    imported = [(g, c.imported) for g, c in recipe.complete.generators.items() if c.imported]
    return found + [{"role": "generator", "name": g, "model": f"imported from {name(table)}", "revision": ""} for g, table in imported]


def _counted(title: str, parts: list[Part]) -> Funnel:
    abouts = [about for part in parts if (about := part.about())]
    rejected = [about.rejected for about in abouts]
    reasons = sorted({reason for counts in rejected for reason in counts})
    rows = sum(about.rows for about in abouts)
    return {title: rows} | {f"{title}: {reason}": sum(counts.get(reason, 0) for counts in rejected) for reason in reasons}
