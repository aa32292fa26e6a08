"""A build: the stages of a recipe over all of its languages, in the order in which a row passes them.

Parts that are up to date are left alone, and only requests that have no answer yet are sent.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import polars as pl

from polypref.builders import complete, pair, prompts, score, translate
from polypref.builders.filters.apply import Filters
from polypref.builders.models import check_license
from polypref.builders.outcome import check_keys, check_languages_reached
from polypref.builders.recipe import (
    PIVOT,
    Completer,
    ImportedScores,
    LanguageRule,
    PairScores,
    Recipe,
    Translate,
)
from polypref.builders.tables import imports
from polypref.builders.tables.needed import rows_when_needed, scores_when_needed
from polypref.builders.tables.read import check_columns
from polypref.engines.base import Engine
from polypref.engines.budget import Meter
from polypref.engines.cluster import Cluster, make_parts_on_ray
from polypref.engines.pool import PoolOptions, open_pools
from polypref.engines.seq2seq import check_languages
from polypref.engines.start import open_engine
from polypref.errors import InputError
from polypref.languages.codes import languages
from polypref.progress import Progress
from polypref.schemas import TABLES, hash16
from polypref.store.parts import Part, read_infos
from polypref.store.stages import Asking, PartTask, make_parts
from polypref.store.workdir import Workdir

STAGES = ("prompts", "translate", "complete", "score", "pair")
Engines = dict[str, Engine]  # a stage's engines: "" is the main one, "quality" estimates its translations


@dataclass
class Build:
    """One run of a recipe in an open work dir; `make` runs the stages.

    Stages that ask an engine run on `cluster` if there is one. With `accept_failures`, calls that fail for
    now are kept as failures for good, and no table stays incomplete; with `retry_failures` such failures are
    asked again. `prompt_counts`, {language: source prompts}, and `parts`, the number of parts of every table,
    are known after `prepare`.
    """

    recipe: Recipe
    workdir: Workdir
    accept_failures: bool = False
    retry_failures: bool = False
    cluster: Cluster | None = None
    prompt_counts: dict[str, int] = field(default_factory=dict)
    parts: int = 1

    def make(self, only: str | None = None) -> None:
        """Run all stages, or only one, whose predecessors have run before.

        Raises InputError for an unknown stage, for languages or a pivot without prompts, and for a translator
        that lacks a language; BudgetReached and Unavailable as engines do.
        """
        if only and only not in STAGES:
            raise InputError(f"unknown stage {only!r}; expected one of {', '.join(STAGES)}")
        stages = (only,) if only else STAGES
        with Meter(self.recipe.budget, self.workdir) as self._meter:
            # Opened before any prompt is read: a missing model or language stops the build at no cost.
            translator = self._open_translator() if "translate" in stages or "complete" in stages else None
            self.prepare()
            if "translate" in stages:
                self._translate_prompts(translator)
            if "complete" in stages:
                for name in self.recipe.complete.generators:
                    self._complete(name, translator)
            translator = None  # frees the model's memory before a reward model loads
            if "score" in stages:
                for name in self.recipe.score:
                    self._score(name)
            if "pair" in stages:
                self._pair()

    def prepare(self) -> None:
        """Write the source prompts and count them; no engine is asked. Raises InputError as `make` does."""
        check_license(self.recipe, self.workdir)
        check_keys(self.recipe)
        for table in self.recipe.imports().values():
            check_columns(table, *table.columns, *table.id)  # a mistake in them costs nothing yet
        if self.recipe.pairs:
            check_columns(self.recipe.pairs.table, *self.recipe.pairs.columns)
        self.prompt_counts = prompts.write_prompts(self.recipe.prompts, self.recipe.seed, self.workdir)
        self.parts = self.workdir.part_count(max(self.prompt_counts.values()))
        check_languages_reached(languages(self.recipe.languages), self.languages, self.prompt_counts)
        if self.recipe.complete.has_pivot and PIVOT not in self.prompt_counts:
            raise InputError(
                f"no prompts in {PIVOT}, a generator's pivot; found {', '.join(self.prompt_counts)}"
            )

    # The tables of a build.

    @property
    def languages(self) -> tuple[str, ...]:
        """The recipe's languages that have source prompts or get translated ones."""
        codes = languages(self.recipe.languages)
        return tuple(code for code in codes if code in self.prompt_counts or self._is_translated(code))

    def prompt_parts(self, code: str) -> list[tuple[Part, ...]]:
        """Return a language's parts of source prompts, of translated prompts, or of both, by part number."""
        tables = []
        if code in self.prompt_counts:
            tables.append(self._table("prompts", "source", code))
        if self._is_translated(code):
            tables.append(self._table("prompts", "translated", code))
        return list(zip(*tables, strict=True))

    def completion_tables(self, code: str) -> dict[str, list[Part]]:
        """Return the parts of a language's completions by `GENERATOR-ORIGIN`."""
        tables = {}
        for generator, config in self.recipe.complete.generators.items():
            origin = "translated" if config.pivot and code != PIVOT else "native"
            name = f"{generator}-{origin}"
            tables[name] = self._table("completions", name, code)
        return tables

    def score_tables(self, scorer: str, code: str) -> dict[str, list[Part]]:
        """Return the parts of a scorer's scores for a language's completions by `GENERATOR-ORIGIN`."""
        return {name: self._table("scores", scorer, name, code) for name in self.completion_tables(code)}

    def pair_parts(self, code: str) -> list[Part]:
        """Return the parts of a language's pairs."""
        return self._table("pairs", self.recipe.pair.builder, code)

    def _table(self, *names: str) -> list[Part]:
        return self.workdir.table(*names, parts=self.parts)

    def _is_translated(self, code: str) -> bool:
        """Return True for a language whose prompts are translated from English."""
        return self.recipe.translate is not None and PIVOT in self.prompt_counts and code != PIVOT

    # Prompts in other languages.

    def _translate_prompts(self, translator: Engine | None) -> None:
        config = self.recipe.translate
        codes = [code for code in self.languages if self._is_translated(code)]
        if config is None or not codes:
            return
        engines = self._open_engines(translator, config.filters)
        english = self._table("prompts", "source", PIVOT)
        if config.imported:
            file = self.workdir.import_counts("prompts", "translated")
            digest = imports.digest_import(config)
            rows = rows_when_needed(file, digest, config, codes, self._sources, self.parts)
            import_identity = _import_identity(digest, english, config.filters, engines)
        tasks = []
        for code in codes:
            for part, source in zip(self._table("prompts", "translated", code), english, strict=True):
                stage: Callable[..., Asking[pl.DataFrame]]
                if config.imported:
                    load = partial(rows, code, tuple(english), part.number)
                    stage = partial(imports.import_translations, config.imported, code, config.filters)
                    tasks.append(PartTask(part, "prompts", (source,), import_identity, stage, load))
                else:
                    identity = _translation_identity(config, code, engines)
                    stage = partial(translate.translate_prompts, config, code, engines[""].name)
                    tasks.append(PartTask(part, "prompts", (source,), identity, stage))
        self._run("translate prompts", tasks, len(codes) * _count_kept(english), engines)

    # Completions.

    def _complete(self, name: str, translator: Engine | None) -> None:
        config = self.recipe.complete.generators[name]
        if config.table:
            self._import_completions(name, config)
            return
        assert config.engine is not None
        engine = open_engine(config.engine, name, self.workdir)
        filters = self.recipe.complete.filters
        identity = ["complete", engine.fingerprint, name, config.samples, filters.identity()]
        tasks, rows = [], 0
        for code in (PIVOT,) if config.pivot else self.languages:
            rows += config.samples * self._count_prompts(code)
            stage = partial(complete.complete_prompts, config.samples, name, filters)
            parts = self._table("completions", f"{name}-native", code)
            for part, sources in zip(parts, self.prompt_parts(code), strict=True):
                tasks.append(PartTask(part, "completions", sources, identity, stage))
        self._run(f"complete {name}", tasks, rows, {"": engine})
        if config.pivot:
            self._translate_completions(name, translator)

    def _translate_completions(self, name: str, translator: Engine | None) -> None:
        assert self.recipe.translate is not None
        filters = self.recipe.complete.filters
        config = self.recipe.translate.model_copy(update={"filters": filters})
        engines = self._open_engines(translator, filters)
        english_parts = self._table("completions", f"{name}-native", PIVOT)
        codes = [code for code in self.languages if code != PIVOT]
        tasks = []
        for code in codes:
            identity = _translation_identity(config, code, engines)
            stage = partial(translate.translate_completions, config, code)
            parts = self._table("completions", f"{name}-translated", code)
            for part, english, sources in zip(parts, english_parts, self.prompt_parts(code), strict=True):
                tasks.append(PartTask(part, "completions", (english, *sources), identity, stage))
        self._run(f"translate {name}", tasks, len(codes) * _count_kept(english_parts), engines)

    def _import_completions(self, name: str, config: Completer) -> None:
        assert config.table is not None
        file = self.workdir.import_counts("completions", f"{name}-native")
        digest = imports.digest_import(config)
        rows = rows_when_needed(file, digest, config, self.languages, self._sources, self.parts)
        filters = self.recipe.complete.filters
        tasks, count = [], 0
        for code in self.languages:
            prompt_parts = self.prompt_parts(code)
            prompts = tuple(chain.from_iterable(prompt_parts))
            count += _count_kept(prompts)
            identity = _import_identity(digest, prompts, filters, {})
            stage = partial(imports.import_completions, name, code, filters)
            parts = self._table("completions", f"{name}-native", code)
            for part, sources in zip(parts, prompt_parts, strict=True):
                load = partial(rows, code, prompts, part.number)
                tasks.append(PartTask(part, "completions", sources, identity, stage, load))
        self._run(f"import {name}", tasks, count, {})

    # Scores and pairs.

    def _score(self, scorer: str) -> None:
        config = self.recipe.score[scorer]
        engines: Engines = {}
        stage: Callable[..., pl.DataFrame | Asking[pl.DataFrame]]
        scores_in = None
        if isinstance(config, LanguageRule):
            stage, identity = partial(score.score_by_language_rule, scorer), "language_rule"
        elif isinstance(config, ImportedScores | PairScores):
            stage, identity = partial(imports.import_scores, scorer), imports.digest_import(config)
            file = self.workdir.import_counts("scores", scorer)
            scores_in = scores_when_needed(file, identity, config, self.languages, self._sources)
        else:
            engines[""] = open_engine(config, scorer, self.workdir)
            stage, identity = partial(score.score_by_reward_model, scorer), engines[""].fingerprint
        tasks, rows, load = [], 0, None
        for code in self.languages:
            score_tables = self.score_tables(scorer, code)
            if scores_in:
                load = partial(scores_in, code)
            for name, completions in self.completion_tables(code).items():
                rows += _count_kept(completions)
                parts = zip(score_tables[name], completions, self.prompt_parts(code), strict=True)
                for part, completion, sources in parts:
                    inputs = (completion, *sources)
                    tasks.append(PartTask(part, "scores", inputs, ["score", scorer, identity], stage, load))
        self._run(f"score {scorer}", tasks, rows, engines)

    def _pair(self) -> None:
        config = self.recipe.pair
        identity = ["pair", config.identity(), TABLES["ranked"].names()]
        tasks, rows = [], 0
        for code in self.languages:
            rows += self._count_prompts(code)
            completion_tables = self.completion_tables(code).values()
            score_tables = self.score_tables(config.scorer, code).values()
            for part, sources in zip(self.pair_parts(code), self.prompt_parts(code), strict=True):
                completions = [parts[part.number] for parts in completion_tables]
                scores = [parts[part.number] for parts in score_tables]
                stage = partial(pair.pair_part, config, len(sources), len(completions))
                tasks.append(PartTask(part, "ranked", (*sources, *completions, *scores), identity, stage))
        self._run("pair", tasks, rows, {})

    # Engines, and running a stage.

    def _open_translator(self) -> Engine | None:
        """Open the recipe's translator. Raises InputError for a language that it does not know."""
        config = self.recipe.translate
        if config is None or config.engine is None:
            return None
        engine = open_engine(config.engine, config.translator, self.workdir)
        # Not checked: languages that an earlier run translated, perhaps with another translator.
        translated = self.workdir.path / "tables/prompts/translated"
        codes = [code for code in languages(self.recipe.languages) if code != PIVOT]
        check_languages(engine, [code for code in codes if not (translated / code).is_dir()])
        return engine

    def _open_engines(self, main: Engine | None, filters: Filters) -> Engines:
        """Return the engines of a stage that translates: its translator, and the filters' quality model."""
        engines: Engines = {"": main} if main else {}
        if filters.quality is not None:
            engines["quality"] = open_engine(filters.quality.engine, "quality", self.workdir)
        return engines

    def _run(self, title: str, tasks: Iterable[PartTask], rows: int, engines: Mapping[str, Engine]) -> None:
        """Make a stage's parts; `rows` is the number to come, for the progress."""
        with Progress(title, rows, self.workdir.progress) as progress:
            options = PoolOptions(progress, self._meter, self.accept_failures, self.retry_failures)
            if not engines:
                make_parts(tasks, progress)
            elif self.cluster:
                make_parts_on_ray(tasks, engines, self.workdir, self.cluster, options)
            else:
                open_engines = partial(open_pools, engines, self.workdir, options)
                make_parts(tasks, progress, open_engines, self.retry_failures)

    @property
    def _sources(self) -> list[str]:
        return [source.name for source in self.recipe.prompts.sources]

    def _count_prompts(self, code: str) -> int:
        return sum(_count_kept(parts) for parts in self.prompt_parts(code))


def _count_kept(parts: Iterable[Part]) -> int:
    """Return the number of rows that are kept in the parts that exist."""
    return sum(info.kept for info in read_infos(parts))


def _translation_identity(config: Translate, code: str, engines: Engines) -> list[object]:
    """Return all that can change the rows of a translation part, beside its inputs."""
    fingerprints = [engine.fingerprint for engine in engines.values()]
    return ["translate", *fingerprints, code, config.filters.identity(), config.back_translation]


def _import_identity(
    digest: str, prompts: Iterable[Part], filters: Filters, engines: Engines
) -> list[object]:
    """Return all that can change a part of an imported table; its rows belong to prompts of any part."""
    matched = [[info.key, info.incomplete] for info in read_infos(prompts)]
    fingerprints = [engine.fingerprint for engine in engines.values()]
    return ["import", digest, hash16(matched), filters.identity(), *fingerprints]
