"""What a build publishes, as folders with cards: kept prompts, scored completions, what was rejected, pairs; and the funnel."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from polypref.builders.build import PIVOT, Build
from polypref.builders.recipe import ImportedScores, LanguageRule
from polypref.builders.tables.read import digest, name
from polypref.cards.folder import write_dataset
from polypref.cards.funnel import Funnel, stage_rows
from polypref.cards.licences import card_license, known_license
from polypref.config import Config
from polypref.engines.config import HttpGenerator, PseudoTranslator
from polypref.errors import InputError
from polypref.schemas import COMPLETION_KEY, MESSAGES, PROMPT_KEY, TABLES
from polypref.store.parts import Part

NOT_SETTINGS = {"kind", "model", "revision", "base_url", "dtype", "tokens_per_batch"}


def write_folders(build: Build, recipe_text: str, allow_incomplete: bool = False) -> Funnel:
    """Writes `published/prompts`, `completions`, `rejected` and `pairs`; returns the funnel.

    Raises InputError where calls failed for now, unless told that incomplete tables may go out.
    """
    failed = sum(
        about.incomplete
        for code in build.languages
        for part in build.pair_parts(code)
        if (about := part.read_info())
    )
    if failed and not allow_incomplete:
        raise InputError(
            f"{build.workdir.path}: {failed} calls failed for now; run again, or publish with --allow-incomplete"
        )
    recipe = build.recipe
    funnel = make_funnel(build)
    facts: dict[str, Any] = {
        "name": recipe.publish.name,
        "title": recipe.publish.title,
        "license": recipe.publish.license,
        "test_share": recipe.publish.test_share,
        "notes": list(recipe.publish.notes),
        "recipe": recipe_text,
        "sources": [name(source) for source in recipe.prompts.sources],
        "source_revisions": {name(source): digest(source) for source in recipe.prompts.sources},
        "source_licenses": {
            name(s): found for s in recipe.prompts.sources if (found := s.license or known_license(name(s)))
        },
        "source_datasets": [source.repo for source in recipe.prompts.sources if source.repo],
        "models": models(build),
        "funnel": funnel,
    }
    folder = build.workdir.published
    named = facts["name"]
    write_dataset(folder / "prompts", "prompts", prompts(build), facts | {"name": f"{named}-prompts"})
    write_dataset(
        folder / "completions", "candidates", candidates(build), facts | {"name": f"{named}-completions"}
    )
    write_dataset(folder / "rejected", "rejected", rejected(build), facts | {"name": f"{named}-rejected"})
    write_dataset(folder / "pairs", "pairs", pairs(build), facts)
    return funnel


def recipe_text(
    recipe: Path,
    overlays: Sequence[Path] = (),
    values: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> str:
    """The recipe's text with what the command line changed of it, as comments; of paths on this machine the last part alone."""
    said = [
        f"--set {name}={Path(value).name if Path(value).exists() else value}"
        for name, value in (values or {}).items()
    ]
    said += [f"--limit {limit}"] if limit else []
    for overlay in overlays:
        said += [
            f"--overlay {overlay.name}:",
            *(f"  {line}".rstrip() for line in overlay.read_text("utf-8").splitlines()),
        ]
    changes = "".join(f"# {line}\n" for line in ["Run with:", *said]) if said else ""
    return f"{recipe.read_text('utf-8').rstrip()}\n{changes}"


def prompts(build: Build) -> dict[str, pl.LazyFrame]:
    """The kept prompts of every language."""
    kept = {
        code: [part.path for group in build.prompt_parts(code) for part in group] for code in build.languages
    }
    return {
        code: pl.scan_parquet(paths).filter(pl.col("rejected_by").is_null()) for code, paths in kept.items()
    }


def pairs(build: Build) -> dict[str, pl.LazyFrame]:
    """The pairs of every language."""
    paths = {code: [part.path for part in build.pair_parts(code)] for code in build.languages}
    return {
        code: pl.scan_parquet(p).filter(pl.col("rejected_by").is_null()).select(*TABLES["pairs"])
        for code, p in paths.items()
    }


def candidates(build: Build) -> dict[str, pl.LazyFrame]:
    """The kept completions of every language with their prompt, all of their scores and their rank by the pairs' scorer.

    Completions that were written in English to be translated are among them, whether English is built or not.
    """
    recipe = build.recipe
    pivots = (
        {PIVOT} if any(generator.pivot for generator in recipe.complete.generators.values()) else set[str]()
    )
    out = {}
    for code in sorted({*build.languages, *pivots}):
        completions = _scan(part for parts in build.completion_tables(code).values() for part in parts)
        prompts = _scan(part for group in build.prompt_parts(code) for part in group)
        scores = _scan(
            part
            for scorer in recipe.score
            for parts in build.score_tables(scorer, code).values()
            for part in parts
        )
        if completions is None or prompts is None:
            continue
        scores = pl.LazyFrame(schema=TABLES["scores"]) if scores is None else scores
        every = (
            scores.sort("scorer")
            .group_by(COMPLETION_KEY, maintain_order=True)
            .agg(scores=pl.struct(name="scorer", value="score"))
        )
        ranking = scores.filter(pl.col("scorer") == recipe.pair.scorer).select(*COMPLETION_KEY, "score")
        living = prompts.filter(pl.col("rejected_by").is_null()).select(*PROMPT_KEY, "prompt")
        kept = completions.filter(pl.col("rejected_by").is_null()).join(living, on=PROMPT_KEY)
        scored = kept.join(every, on=COMPLETION_KEY, how="left").join(ranking, on=COMPLETION_KEY, how="left")
        rank = pl.col("score").rank("min", descending=True).over(PROMPT_KEY)
        out[code] = scored.with_columns(rank=rank)
    return out


def rejected(build: Build) -> dict[str, pl.LazyFrame]:
    """What was left out of every language at which stage and why, with its text; of prompts without a pair the reason alone."""
    out = {}
    for code in build.languages:
        groups = {
            "prompts": (
                _scan(part for group in build.prompt_parts(code) for part in group),
                pl.col("prompt"),
            ),
            "completions": (
                _scan(part for parts in build.completion_tables(code).values() for part in parts),
                pl.concat_list(
                    pl.struct(role=pl.lit("assistant"), content=pl.col("completion").fill_null(""))
                ),
            ),
            "pairs": (_scan(build.pair_parts(code)), pl.lit(None, dtype=MESSAGES)),
        }
        found = []
        for stage, (rows, messages) in groups.items():
            if rows is None:
                continue
            there = rows.collect_schema().names()
            schema = TABLES["rejected"]
            columns = [
                (pl.col(c) if c in there else pl.lit(None)).cast(schema[c]).alias(c)
                for c in schema
                if c not in ("stage", "messages")
            ]
            left_out = rows.filter(pl.col("rejected_by").is_not_null())
            found.append(left_out.select(*columns, stage=pl.lit(stage), messages=messages).select(*schema))
        out[code] = pl.concat(found) if found else pl.LazyFrame(schema=TABLES["rejected"])
    return out


def _scan(parts: Iterable[Part]) -> pl.LazyFrame | None:
    paths = [part.path for part in parts if part.path.exists()]
    return pl.scan_parquet(paths) if paths else None


def make_funnel(build: Build) -> Funnel:
    """Count the rows of every language at every stage, by reason, as the parts recorded them.

    Languages that the recipe does not build have the one stage `prompts`.
    """
    funnel: Funnel = []
    for code in sorted({*build.languages, *build.found}):
        if code in build.languages:
            prompts = [part for group in build.prompt_parts(code) for part in group]
            stages = {"prompts": prompts, **build.completion_tables(code), "pairs": build.pair_parts(code)}
        else:
            stages = {"prompts": build.workdir.table("prompts", "source", code, parts=build.parts)}
        for stage, parts in stages.items():
            funnel += _count_rows(stage, code, parts)
    return funnel


def models(build: Build) -> list[dict[str, Any]]:
    """Role, name, model, resolved revision, settings and licence (None: not known) of every engine of the recipe."""
    recipe, found = build.recipe, list[dict[str, Any]]()
    engines: list[tuple[str, str, Any]] = []
    if recipe.translate and recipe.translate.engine:
        engines.append(("translator", recipe.translate.translator, recipe.translate.engine))
    engines += [
        ("generator", generator, config.engine)
        for generator, config in recipe.complete.generators.items()
        if config.engine
    ]
    engines += [
        ("reward model", scorer, config)
        for scorer, config in recipe.score.items()
        if not isinstance(config, LanguageRule | ImportedScores)
    ]
    for role, called, config in engines:
        if isinstance(config, HttpGenerator):
            model, revision, license = config.model, f"as served at {config.base_url}", known_license(config.model)
        elif isinstance(config, PseudoTranslator):
            model, revision, license = "pseudo-localisation", "", None
        else:
            resolved = build.workdir.resolve(config.model, config.revision)
            model, revision = resolved.model, resolved.revision
            license = known_license(model) or card_license(resolved.location, resolved.hub_revision)
        about: dict[str, Any] = {"role": role, "name": called, "model": model, "revision": revision}
        found.append(about | {"settings": settings(config), "license": license})
    imported = [(g, name(c.imported)) for g, c in recipe.complete.generators.items() if c.imported]
    nothing: dict[str, Any] = {"revision": "", "settings": {}, "license": None}
    return found + [
        {"role": "generator", "name": g, "model": f"imported from {table}"} | nothing for g, table in imported
    ]


def settings(config: Config) -> dict[str, Any]:
    """What an engine was told beside its model, as one flat table: the fields that can change an answer."""
    told = config.identity()
    flat = {key: value for key, value in told.items() if not isinstance(value, dict)}
    for nested in (value for value in told.values() if isinstance(value, dict)):
        flat |= nested
    return {key: value for key, value in flat.items() if key not in NOT_SETTINGS and value not in (None, [])}


def _count_rows(stage: str, language: str, parts: Iterable[Part]) -> Funnel:
    """Return the funnel rows of one stage in one language; parts that do not exist yet count nothing."""
    kept, rejected = 0, Counter[str]()
    for part in parts:
        part_info = part.read_info()
        if part_info is not None:
            rejected.update(part_info.rejected)
            kept += part_info.rows - sum(part_info.rejected.values())
    return stage_rows(stage, language, kept, rejected)
