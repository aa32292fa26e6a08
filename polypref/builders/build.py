"""A recipe from its sources to its published folders: every stage over every language, in the order in which a row passes.

What is there and still valid is left alone; what is missing is made, and only its requests are asked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from polypref.builders import complete, pair, prompts, score, translate
from polypref.builders.recipe import Completer, ImportedScores, LanguageRule, Recipe
from polypref.builders.tables import imports
from polypref.builders.tables.imports import ByLanguage
from polypref.engines.base import Engine
from polypref.engines.budget import Meter
from polypref.engines.cluster import Cluster, make_parts_on_ray
from polypref.engines.pool import open_pools
from polypref.engines.seq2seq import check_languages
from polypref.engines.start import open_engine
from polypref.errors import InputError
from polypref.languages.codes import languages
from polypref.progress import Progress
from polypref.schemas import TABLES, hash16
from polypref.store.parts import Part, read_parts
from polypref.store.stages import PartTask, make_parts, without_requests
from polypref.store.workdir import Workdir

STAGES = ("prompts", "translate", "complete", "score", "pair")
PIVOT = translate.PIVOT


@dataclass
class Build:
    """One run of a recipe in an open work dir: `make()` goes through the stages.

    Stages with an engine run on `cluster` where there is one. With `accept_failures`, calls that fail for now are kept as
    failures for good, and no table stays incomplete.
    """

    recipe: Recipe
    workdir: Workdir
    accept_failures: bool = False
    cluster: Cluster | None = None
    found: dict[str, int] = field(default_factory=dict)  # languages that have source prompts, and their rows
    parts: int = 1

    def make(self, only: str | None = None) -> None:
        """Runs all stages, or one whose predecessors have run. Raises InputError for an unknown stage."""
        if only and only not in STAGES:
            raise InputError(f"unknown stage {only!r}; expected one of {', '.join(STAGES)}")
        wanted = {only} if only else set(STAGES)
        with Meter(self.recipe.budget, self.workdir) as self._meter:
            translator = self._translator() if wanted & {"translate", "complete"} else None
            self.prepare()
            self._make(wanted, translator)

    def prepare(self) -> None:
        """Reads the source prompts: what is known before any engine is asked."""
        self.found = prompts.write_prompts(self.recipe.prompts, self.recipe.seed, self.workdir)
        self.parts = self.workdir.part_count(max(self.found.values()))
        if not self.languages:
            raise InputError(
                f"no prompts in any of the languages {', '.join(self.recipe.languages)}; found {', '.join(self.found)}"
            )

    def _make(self, wanted: set[str], translator: Engine | None) -> None:
        if "translate" in wanted:
            self._translate(translator)
        if "complete" in wanted:
            for name, config in self.recipe.complete.generators.items():
                self._complete(name, config, translator)
        translator = None
        if "score" in wanted:
            for name in self.recipe.score:
                self._score(name)
        if "pair" in wanted:
            self._pair()

    @property
    def languages(self) -> tuple[str, ...]:
        """The recipe's languages that have, or get, prompts."""
        reached = self.recipe.translate is not None and PIVOT in self.found
        return tuple(code for code in languages(self.recipe.languages) if reached or code in self.found)

    def prompt_parts(self, code: str) -> list[tuple[Part, ...]]:
        """By part number: the source prompts and the translated prompts of a language, those that there are."""
        kinds = [
            kind
            for kind, there in (("source", code in self.found), ("translated", self._is_translated(code)))
            if there
        ]
        tables = [self.workdir.table("prompts", kind, code, parts=self.parts) for kind in kinds]
        return list(zip(*tables, strict=True))

    def completion_tables(self, code: str) -> dict[str, list[Part]]:
        """The completions of a language by `generator-origin`."""
        tables = {}
        for name, config in self.recipe.complete.generators.items():
            origin = "translated" if config.pivot and code != PIVOT else "native"
            tables[f"{name}-{origin}"] = self.workdir.table(
                "completions", f"{name}-{origin}", code, parts=self.parts
            )
        return tables

    def score_tables(self, scorer: str, code: str) -> dict[str, list[Part]]:
        """One scorer's scores of a language by `generator-origin`."""
        return {
            name: self.workdir.table("scores", scorer, name, code, parts=self.parts)
            for name in self.completion_tables(code)
        }

    def pair_parts(self, code: str) -> list[Part]:
        return self.workdir.table("pairs", self.recipe.pair.builder, code, parts=self.parts)

    def _is_translated(self, code: str) -> bool:
        return self.recipe.translate is not None and PIVOT in self.found and code != PIVOT

    def _translator(self) -> Engine | None:
        config = self.recipe.translate
        if config is None or config.engine is None:
            return None
        engine = open_engine(config.engine, config.translator, self.workdir)
        made = self.workdir.path / "tables/prompts/translated"
        check_languages(
            engine,
            [
                code
                for code in languages(self.recipe.languages)
                if code != PIVOT and not (made / code).is_dir()
            ],
        )
        return engine

    def _translate(self, translator: Engine | None) -> None:
        config = self.recipe.translate
        targets = [code for code in self.languages if self._is_translated(code)]
        if config is None or not targets:
            return
        english = self.workdir.table("prompts", "source", PIVOT, parts=self.parts)
        rows = imports.by_language(config.imported) if config.imported else None

        def steps() -> Iterator[PartTask]:
            for code in targets:
                out = self.workdir.table("prompts", "translated", code, parts=self.parts)
                given = self._imported(rows, code, read_parts(english)) if rows is not None else None
                for part, source in zip(out, english, strict=True):
                    if given is None or config.imported is None:
                        assert translator is not None
                        identity = [
                            "translate",
                            translator.fingerprint,
                            code,
                            config.filters.identity(),
                            config.back_translation,
                        ]
                        yield PartTask(
                            part,
                            "prompts",
                            (source,),
                            identity,
                            translate.translate_prompts(config, code, translator.name),
                        )
                    else:
                        make = without_requests(
                            imports.translations(given[part.number], config.imported, code, config.filters)
                        )
                        yield PartTask(
                            part,
                            "prompts",
                            (source,),
                            _given(given[part.number], config.filters.identity()),
                            make,
                        )

        self._run("translate prompts", steps(), len(targets) * self.found[PIVOT], translator)

    def _complete(self, name: str, config: Completer, translator: Engine | None) -> None:
        filters = self.recipe.complete.filters
        if config.imported:
            self._import_completions(name, config)
            return
        assert config.engine is not None
        engine = open_engine(config.engine, name, self.workdir)
        codes = (PIVOT,) if config.pivot else self.languages

        def native() -> Iterator[PartTask]:
            for code in codes:
                out = self.workdir.table("completions", f"{name}-native", code, parts=self.parts)
                for part, sources in zip(out, self.prompt_parts(code), strict=True):
                    identity = ["complete", engine.fingerprint, name, config.samples, filters.identity()]
                    yield PartTask(
                        part,
                        "completions",
                        sources,
                        identity,
                        complete.complete_prompts(config, name, code, filters),
                    )

        self._run(
            f"complete {name}", native(), sum(self._rows(code) for code in codes) * config.samples, engine
        )
        if config.pivot:
            self._translate_completions(name, translator)

    def _translate_completions(self, name: str, translator: Engine | None) -> None:
        assert translator is not None
        assert self.recipe.translate is not None
        config = self.recipe.translate.model_copy(update={"filters": self.recipe.complete.filters})
        english = self.workdir.table("completions", f"{name}-native", PIVOT, parts=self.parts)
        targets = [code for code in self.languages if code != PIVOT]

        def steps() -> Iterator[PartTask]:
            for code in targets:
                out = self.workdir.table("completions", f"{name}-translated", code, parts=self.parts)
                for part, source, sources in zip(out, english, self.prompt_parts(code), strict=True):
                    identity = [
                        "translate",
                        translator.fingerprint,
                        code,
                        config.filters.identity(),
                        config.back_translation,
                    ]
                    yield PartTask(
                        part,
                        "completions",
                        (source, *sources),
                        identity,
                        translate.translate_completions(config, code),
                    )

        self._run(f"translate {name}", steps(), _rows(english) * len(targets), translator)

    def _import_completions(self, name: str, config: Completer) -> None:
        assert config.imported is not None
        rows, filters = imports.by_language(config.imported), self.recipe.complete.filters

        def steps() -> Iterator[PartTask]:
            for code in self.languages:
                sources = self.prompt_parts(code)
                given = self._imported(rows, code, read_parts(part for group in sources for part in group))
                for part, group in zip(
                    self.workdir.table("completions", f"{name}-native", code, parts=self.parts),
                    sources,
                    strict=True,
                ):
                    make = without_requests(imports.completions(given[part.number], name, code, filters))
                    yield PartTask(
                        part, "completions", group, _given(given[part.number], filters.identity()), make
                    )

        self._run(f"import {name}", steps(), sum(len(rows.get(code, ())) for code in self.languages), None)

    def _score(self, scorer: str) -> None:
        config = self.recipe.score[scorer]
        engine = (
            None
            if isinstance(config, LanguageRule | ImportedScores)
            else open_engine(config, scorer, self.workdir)
        )

        def steps() -> Iterator[PartTask]:
            for code in self.languages:
                for name, completions in self.completion_tables(code).items():
                    out = self.score_tables(scorer, code)[name]
                    if engine is not None:
                        make, identity = score.score_by_reward_model(scorer), engine.fingerprint
                    elif isinstance(config, ImportedScores):
                        make = without_requests(imports.scores(config, scorer, name.rpartition("-")[0], code))
                        identity = imports.digest_of(config)
                    else:
                        make, identity = (
                            without_requests(score.score_by_language_rule(scorer)),
                            "language_rule",
                        )
                    for part, completion, group in zip(
                        out, completions, self.prompt_parts(code), strict=True
                    ):
                        yield PartTask(
                            part, "scores", (completion, *group), ["score", scorer, identity], make
                        )

        rows = sum(_rows(parts) for code in self.languages for parts in self.completion_tables(code).values())
        self._run(f"score {scorer}", steps(), rows, engine)

    def _pair(self) -> None:
        config = self.recipe.pair

        def steps() -> Iterator[PartTask]:
            for code in self.languages:
                completions, scores = self.completion_tables(code), self.score_tables(config.scorer, code)
                for part, group in zip(self.pair_parts(code), self.prompt_parts(code), strict=True):
                    candidates = tuple(table[part.number] for table in completions.values())
                    scored = tuple(table[part.number] for table in scores.values())
                    sizes = len(group), len(candidates)

                    def make(*frames: pl.DataFrame, sizes: tuple[int, int] = sizes) -> pl.DataFrame:
                        first, second = sizes[0], sizes[0] + sizes[1]
                        return pair.make_pairs(
                            config,
                            *(pl.concat(f) for f in (frames[:first], frames[first:second], frames[second:])),
                        )

                    yield PartTask(
                        part,
                        "ranked",
                        (*group, *candidates, *scored),
                        ["pair", config.identity(), TABLES["ranked"].names()],
                        without_requests(make),
                    )

        self._run("pair", steps(), sum(map(self._rows, self.languages)), None)

    def _run(self, title: str, steps: Iterable[PartTask], rows: int, engine: Engine | None) -> None:
        engines = {"": engine} if engine else {}
        with Progress(title, rows, self.workdir.progress) as progress:
            options = progress, self._meter, self.accept_failures
            if not engines:
                make_parts(steps, progress)
            elif self.cluster:
                make_parts_on_ray(
                    steps, progress, engines, self.workdir, self.cluster, self._meter, self.accept_failures
                )
            else:
                make_parts(steps, progress, lambda: open_pools(engines, self.workdir, *options))

    def _rows(self, code: str) -> int:
        return sum(_rows(list(group)) for group in self.prompt_parts(code))

    def _imported(self, rows: ByLanguage, code: str, known: pl.DataFrame) -> list[list[imports.Given]]:
        return imports.in_parts(rows.get(code, []), known, self.parts)


def _rows(parts: list[Part]) -> int:
    return sum(about.rows for part in parts if (about := part.read_info()))


def _given(rows: list[imports.Given], filters: dict[str, Any]) -> list[Any]:
    """The identity of an imported part: its rows themselves."""
    return [
        "import",
        hash16([[prompt_id, row.id, repr(row.text), reason] for prompt_id, row, reason in rows]),
        filters,
    ]
