"""Publish a build: folders with cards of kept prompts, scored completions, rejected rows and pairs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from polypref.builders.build import Build
from polypref.builders.filters.measures import kept_rows
from polypref.builders.models import describe_models, describe_sources
from polypref.builders.recipe import PIVOT, ImportedScores, PairScores
from polypref.builders.tables.read import digest_table
from polypref.cards.folder import write_dataset
from polypref.cards.funnel import Funnel, stage_rows
from polypref.engines.address import public_urls
from polypref.errors import Unavailable
from polypref.schemas import COMPLETION_KEY, PROMPT_KEY, TABLES, hash16
from polypref.store.parts import Part, read_infos
from polypref.store.storage import read_json, write_json
from polypref.version import __version__


def write_folders(build: Build, recipe_text: str, allow_incomplete: bool = False) -> Funnel:
    """Write `published/prompts`, `completions`, `rejected` and `pairs`; return the funnel.

    Nothing is read or written if the folders are those of the same parts and facts.

    Raises Unavailable where calls failed for now, unless `allow_incomplete` is set.
    """
    pair_parts = chain.from_iterable(build.pair_parts(code) for code in build.languages)
    failed = sum(info.incomplete for info in read_infos(pair_parts))
    if failed and not allow_incomplete:
        raise Unavailable(
            f"{build.workdir.path}: {failed} calls failed for now; run again, "
            "or publish with --allow-incomplete"
        )
    funnel = make_funnel(build)
    facts = _facts(build, recipe_text) | {"funnel": funnel}
    if build.recipe.complete.has_pivot and PIVOT not in build.languages:
        facts["supporting"] = [PIVOT]  # what was written in English to be translated, for a trace
    folder = build.workdir.published
    state_file = build.workdir.path / "published.json"
    key = hash16([__version__, facts, _part_keys(build)])
    if read_json(state_file) == {"key": key, "files": _list_files(folder)}:
        return funnel
    for title, table, rows in (
        ("prompts", "prompts", kept_prompts(build)),
        ("completions", "candidates", scored_completions(build)),
        ("rejected", "rejected", rejected_rows(build)),
    ):
        write_dataset(folder / title, table, rows, facts | {"name": f"{facts['name']}-{title}"})
    write_dataset(folder / "pairs", "pairs", pairs(build), facts)
    write_json(state_file, {"key": key, "files": _list_files(folder)})
    return funnel


def _part_keys(build: Build) -> list[str]:
    """Return the keys of all parts that are published, or that those are made from."""
    parts: list[Part] = []
    for code in _completed_languages(build):
        parts += chain.from_iterable(build.prompt_parts(code))
        parts += build.pair_parts(code)
        parts += chain.from_iterable(build.completion_tables(code).values())
        for scorer in build.recipe.score:
            parts += chain.from_iterable(build.score_tables(scorer, code).values())
    return [info.key for info in read_infos(parts)]


def _completed_languages(build: Build) -> list[str]:
    """Return the languages that have completions: those that are built, and the pivot if there is one."""
    pivot = {PIVOT} if build.recipe.complete.has_pivot else set()
    return sorted({*build.languages, *pivot})


def _list_files(folder: Path) -> dict[str, list[int]]:
    """Return the size and the time of every file in a folder."""
    files = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            status = file.stat()
            files[str(file.relative_to(folder))] = [status.st_size, status.st_mtime_ns]
    return files


def _facts(build: Build, recipe_text: str) -> dict[str, Any]:
    """Return what the cards say of all folders, as cards/folder.py describes it, without the funnel."""
    recipe = build.recipe
    sources = recipe.prompts.sources
    return {
        **describe_sources(recipe),
        "name": recipe.publish.name,
        "title": recipe.publish.title,
        "license": recipe.publish.license,
        "test_share": recipe.publish.test_share,
        "notes": list(recipe.publish.notes),
        "recipe": recipe_text,
        "source_revisions": {source.name: digest_table(source) for source in sources},
        "source_datasets": [source.repo for source in sources if source.repo],
        "models": describe_models(recipe, build.workdir),
    }


def recipe_text(
    recipe: Path,
    overlays: Sequence[Path] = (),
    values: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> str:
    """Return the recipe's text with the options of the command line that change it, as comments.

    Of paths on this machine only the last part is shown, and of URLs what may be known: the text is
    published.
    """
    options = []
    for key, value in (values or {}).items():
        options.append(f"--set {key}={Path(value).name if Path(value).exists() else value}")
    if limit:
        options.append(f"--limit {limit}")
    for overlay in overlays:
        options.append(f"--overlay {overlay.name}:")
        options += [f"  {line}".rstrip() for line in overlay.read_text("utf-8").splitlines()]
    text = f"{recipe.read_text('utf-8').rstrip()}\n"
    if options:
        text += "".join(f"# {line}\n" for line in ["Run with:", *options])
    return public_urls(text)


def kept_prompts(build: Build) -> dict[str, pl.LazyFrame]:
    """Return the kept prompts of every language."""
    return {code: kept_rows(_scan_prompts(build, code)) for code in build.languages}


def pairs(build: Build) -> dict[str, pl.LazyFrame]:
    """Return the pairs of every language."""
    return {code: kept_rows(_scan(build.pair_parts(code), "ranked")) for code in build.languages}


def scored_completions(build: Build) -> dict[str, pl.LazyFrame]:
    """Return the kept completions of every language with prompt, scores, and rank by the pairs' scorer.

    The English completions that were written to be translated are included, even if English is not built.
    """
    return {code: _scored_completions(build, code) for code in _completed_languages(build)}


def _scored_completions(build: Build, code: str) -> pl.LazyFrame:
    score_parts: list[Part] = []
    for scorer in build.recipe.score:
        score_parts += chain.from_iterable(build.score_tables(scorer, code).values())
    scores = _scan(score_parts, "scores")
    prompts = kept_rows(_scan_prompts(build, code)).select(*PROMPT_KEY, "prompt")
    completions = kept_rows(_scan_completions(build, code))
    every_score = (
        scores.sort("scorer")
        .group_by(COMPLETION_KEY, maintain_order=True)
        .agg(scores=pl.struct(name="scorer", value="score"))
    )
    score = scores.filter(scorer=build.recipe.pair.scorer).select(*COMPLETION_KEY, "score")
    rows = (
        completions.join(prompts, on=PROMPT_KEY)
        .join(every_score, on=COMPLETION_KEY, how="left")
        .join(score, on=COMPLETION_KEY, how="left")
    )
    answer = pl.struct(role=pl.lit("assistant"), content="completion")
    return rows.with_columns(
        rank=pl.col("score").rank("min", descending=True).over(PROMPT_KEY),
        completion=pl.concat_list(answer),
    )


def rejected_rows(build: Build) -> dict[str, pl.LazyFrame]:
    """Return the rejected rows of every language with stage, reason and text.

    Prompts without a pair have no text here.
    """
    columns = TABLES["rejected"].names()
    answer = pl.struct(role=pl.lit("assistant"), content=pl.col("completion").fill_null(""))
    rows = {}
    for code in build.languages:
        prompts = _scan_prompts(build, code).with_columns(messages="prompt")
        completions = _scan_completions(build, code).with_columns(messages=pl.concat_list(answer))
        ranked = _scan(build.pair_parts(code), "ranked")
        stages = {"prompts": prompts, "completions": completions, "pairs": ranked}
        frames = [frame.with_columns(stage=pl.lit(stage)) for stage, frame in stages.items()]
        together = pl.concat(frames, how="diagonal").select(columns)  # null where a stage lacks a column
        rows[code] = together.filter(pl.col("rejected_by").is_not_null())
    return rows


def _scan_prompts(build: Build, code: str) -> pl.LazyFrame:
    return _scan(chain.from_iterable(build.prompt_parts(code)), "prompts")


def _scan_completions(build: Build, code: str) -> pl.LazyFrame:
    return _scan(chain.from_iterable(build.completion_tables(code).values()), "completions")


def _scan(parts: Iterable[Part], table: str) -> pl.LazyFrame:
    """Return the rows of the parts that exist."""
    paths = [part.path for part in parts if part.path.exists()]
    return pl.scan_parquet(paths) if paths else pl.LazyFrame(schema=TABLES[table])


def make_funnel(build: Build) -> Funnel:
    """Count the rows of every language at every stage, by reason, as the parts recorded them.

    Languages that the recipe does not build have the one stage `prompts`.
    """
    funnel: Funnel = []
    for code in sorted({*build.languages, *build.prompt_counts}):
        if code in build.languages:
            prompts = chain.from_iterable(build.prompt_parts(code))
            stages = {"prompts": prompts, **build.completion_tables(code), "pairs": build.pair_parts(code)}
        else:
            stages = {"prompts": build.workdir.table("prompts", "source", code, parts=build.parts)}
        for stage, parts in stages.items():
            funnel += _count_rows(stage, code, parts)
    return funnel + _import_funnel(build)


def _import_funnel(build: Build) -> Funnel:
    """Count the rows of users' tables that became no row of a build: those in other languages, and scores."""
    recipe = build.recipe
    stages = {}
    if recipe.translate and recipe.translate.imported:
        stages["prompts", "translated"] = "prompts"
    for generator, completer in recipe.complete.generators.items():
        if completer.table:
            stages["completions", f"{generator}-native"] = f"{generator}-native"
    funnel: Funnel = []
    for table, stage in stages.items():
        record = read_json(build.workdir.import_counts(*table))
        for code, reasons in record.get("left_out", {}).items():
            funnel += stage_rows(stage, code, 0, reasons)[1:]  # without the count of kept rows
    for scorer, config in recipe.score.items():
        if isinstance(config, ImportedScores | PairScores):
            funnel += _score_funnel(build, scorer)
    return funnel


def _score_funnel(build: Build, scorer: str) -> Funnel:
    """Count the rows of imported scores by language: used, without a completion, or left out."""
    record = read_json(build.workdir.import_counts("scores", scorer))
    rows, left_out = record.get("rows", {}), record.get("left_out", {})
    funnel: Funnel = []
    for code in sorted({*rows, *left_out}):
        used = 0
        if code in build.languages:
            parts = chain.from_iterable(build.score_tables(scorer, code).values())
            used = sum(info.rows for info in read_infos(parts))
        reasons = dict(left_out.get(code, {}))
        if rows.get(code, 0) > used:
            reasons["no_completion"] = rows[code] - used
        funnel += stage_rows(f"{scorer} scores", code, used, reasons)
    return funnel


def _count_rows(stage: str, language: str, parts: Iterable[Part]) -> Funnel:
    """Return the funnel rows of one stage in one language; parts that do not exist yet count nothing."""
    kept, rejected = 0, Counter[str]()
    for info in read_infos(parts):
        rejected.update(info.rejected)
        kept += info.kept
    return stage_rows(stage, language, kept, rejected)
