"""Estimates of a build before anything is spent: rows, tokens, hours and money, by stage and language.

Rows are counted from the source prompts, as if no filter rejected any later. A token is taken to be four
bytes of UTF-8, and an answer to be as long as its recipe allows, unless a probe measures both: a few prompts
are sent to every engine, and the build keeps their answers. Hours come from the probe or from the recipe's
`throughput`, money from the engines' prices. Prompts in other languages are taken to be like the probed ones,
and a server with all slots in use to answer as fast as with the few of a small probe.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from polypref.builders.build import Build
from polypref.builders.filters.apply import Filters
from polypref.builders.filters.measures import kept_rows
from polypref.builders.recipe import PIVOT, ImportedScores, LanguageRule, PairScores
from polypref.builders.text.translator import translate_texts
from polypref.engines.base import Answer, Request, ServerEngine
from polypref.engines.budget import Meter, Price
from polypref.engines.config import EngineConfig
from polypref.engines.pool import PoolOptions, open_pool
from polypref.engines.start import open_engine
from polypref.schemas import Message
from polypref.store.parts import read_parts

BYTES_PER_TOKEN = 4
FREE = Price()


@dataclass(frozen=True, slots=True)
class Size:
    """A number of rows, and of the tokens in all of them."""

    rows: int = 0
    tokens: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.rows + other.rows, self.tokens + other.tokens)


@dataclass(frozen=True, slots=True)
class Line:
    """The estimate for one stage in one language; `hours` is None if it is not known."""

    stage: str
    language: str
    rows: int
    prompt_tokens: int
    tokens: int
    hours: float | None
    cost: float
    measured: bool


@dataclass(frozen=True, slots=True)
class Rate:
    """The tokens that an engine writes: for each row or, with `per_prompt_token`, for each token it reads.

    `seconds`: the time for a row while all slots of the engine are in use, if known.
    """

    tokens: float
    per_prompt_token: bool = False
    seconds: float | None = None


TRANSLATION = Rate(1.0, per_prompt_token=True)  # without a probe: as long as its source
SCORE = Rate(0.0)  # a score is no text


def estimate(build: Build, probe: int = 0) -> list[Line]:
    """Return the estimates for a prepared build, stage by stage.

    With `probe`, so many prompts, of English if it has any, are sent to every engine to measure it.
    """
    plan = _Plan(build, probe_engines(build, probe) if probe else {})
    plan.translate_prompts()
    for generator in build.recipe.complete.generators:
        plan.complete(generator)
    for scorer in build.recipe.score:
        plan.score(scorer)
    return plan.lines


class _Plan:
    """The lines of an estimate, and the sizes that later stages read. The methods are a build's stages."""

    def __init__(self, build: Build, rates: dict[str, Rate]) -> None:
        self.build, self.recipe, self.rates = build, build.recipe, rates
        self.lines: list[Line] = []
        self.completions: dict[str, dict[str, Size]] = {}  # by generator and language
        self.english = _count_prompts(build, PIVOT)
        self.prompts: dict[str, Size] = {}
        for code in build.languages:
            self.prompts[code] = _count_prompts(build, code)
            if self.recipe.translate and code != PIVOT:
                self.prompts[code] += self.english
        self.other_languages = [code for code in build.languages if code != PIVOT]

    def translate_prompts(self) -> None:
        config = self.recipe.translate
        if config is None or config.engine is None or PIVOT not in self.build.prompt_counts:
            return
        for code in self.other_languages:
            self._translate("prompts", code, self.english, config.filters)

    def complete(self, generator: str) -> None:
        config = self.recipe.complete.generators[generator]
        if config.engine is None:
            return
        price = getattr(config.engine, "price", FREE)
        longest = Rate(config.engine.sampling.max_tokens)
        written = self.completions[generator] = {}
        for code in (PIVOT,) if config.pivot else self.build.languages:
            prompts = self.prompts.get(code, self.english)
            size = Size(config.samples * prompts.rows, config.samples * prompts.tokens)
            written[code] = self._add(f"complete {generator}", generator, code, size, longest, price)
        if config.pivot:
            for code in self.other_languages:
                filters = self.recipe.complete.filters
                written[code] = self._translate(generator, code, written[PIVOT], filters)

    def score(self, scorer: str) -> None:
        if isinstance(self.recipe.score[scorer], LanguageRule | ImportedScores | PairScores):
            return
        for code in self.build.languages:
            size = Size()
            for completions in self.completions.values():
                if code in completions:
                    size += completions[code] + Size(0, self.prompts[code].tokens)
            self._add(f"score {scorer}", scorer, code, size, SCORE)

    def _translate(self, rows: str, code: str, source: Size, filters: Filters) -> Size:
        """Add the lines of a translation and its quality model; return the size of the translation."""
        translated = self._add(f"translate {rows}", "translate", code, source, TRANSLATION)
        if filters.quality is not None:
            size = translated + Size(0, source.tokens)
            self._add(f"quality of {rows}", "quality", code, size, SCORE)
        return translated

    def _add(
        self, stage: str, engine: str, code: str, size: Size, default: Rate, price: Price = FREE
    ) -> Size:
        """Add the line of an engine that reads `size`; return the size of what it writes."""
        rate = self.rates.get(engine, default)
        tokens = round(rate.tokens * (size.tokens if rate.per_prompt_token else size.rows))
        throughput = self.recipe.throughput.get(engine)
        hours = None
        if rate.seconds is not None:
            hours = size.rows * rate.seconds / 3600
        elif throughput:
            hours = (tokens or size.tokens) / throughput / 3600
        cost = price.of(size.tokens, tokens)
        measured = engine in self.rates
        self.lines.append(Line(stage, code, size.rows, size.tokens, tokens, hours, cost, measured))
        return Size(size.rows, tokens)


def _count_prompts(build: Build, code: str) -> Size:
    """Return the size of a language's kept source prompts."""
    if code not in build.prompt_counts:
        return Size()
    rows = kept_rows(read_parts(build.workdir.table("prompts", "source", code, parts=build.parts)))
    contents = pl.col("prompt").list.eval(pl.element().struct.field("content").str.len_bytes())
    tokens = rows.select(contents.list.sum() // BYTES_PER_TOKEN).to_series()
    return Size(rows.height, int(tokens.sum()))


def probe_engines(build: Build, count: int) -> dict[str, Rate]:
    """Measure every engine but quality models by a few prompts; return their rates by name.

    The translator's name is `translate`.

    One prompt more than `count` is sent, first of all: it loads the model, so its time does not count.
    """
    recipe = build.recipe
    code = PIVOT if PIVOT in build.prompt_counts else next(iter(build.prompt_counts))
    rows = read_parts(build.workdir.table("prompts", "source", code, parts=build.parts))
    prompts = kept_rows(rows).sort("prompt_id").head(count + 1)["prompt"].to_list()
    rates: dict[str, Rate] = {}
    conversations: list[list[Message]] = []
    with Meter(recipe.budget, build.workdir) as meter:
        for generator, config in recipe.complete.generators.items():
            if config.engine:
                requests = [[Request(prompt)] for prompt in prompts]
                answers, seconds = _time_engine(build, meter, config.engine, generator, requests)
                answered = [answer for answer in answers if answer]
                tokens = sum(answer.tokens for answer in answered)
                rates[generator] = Rate(tokens / max(1, len(answered)), seconds=seconds)
                for prompt, answer in zip(prompts, answers, strict=True):
                    if answer:
                        conversations.append([*prompt, {"role": "assistant", "content": answer.text}])
        if code == PIVOT:
            rates |= _probe_translator(build, meter, prompts)
        for scorer, scoring in recipe.score.items():
            if conversations and not isinstance(scoring, LanguageRule | ImportedScores | PairScores):
                requests = [[Request(conversation)] for conversation in conversations]
                _, seconds = _time_engine(build, meter, scoring, scorer, requests)
                rates[scorer] = Rate(0.0, seconds=seconds)
    return rates


def _probe_translator(build: Build, meter: Meter, prompts: Sequence[Sequence[Message]]) -> dict[str, Rate]:
    """Measure the translator, if there is one, into the first language that is not English."""
    config = build.recipe.translate
    targets = [code for code in build.languages if code != PIVOT]
    if config is None or config.engine is None or not targets:
        return {}
    groups, read = [], 0
    for prompt in prompts:
        contents = [message["content"] for message in prompt]
        read += sum(len(content.encode()) for content in contents) // BYTES_PER_TOKEN
        # The first requests alone: those that follow (corrections, back-translation) depend on their answers.
        groups.append(list(next(translate_texts([contents], targets[0], config), [])))
    answers, seconds = _time_engine(build, meter, config.engine, "translate", groups)
    tokens = sum(answer.tokens for answer in answers if answer)
    return {"translate": Rate(tokens / max(1, read), per_prompt_token=True, seconds=seconds)}


def _time_engine(
    build: Build, meter: Meter, config: EngineConfig, name: str, groups: Sequence[Sequence[Request]]
) -> tuple[list[Answer | None], float | None]:
    """Return the answers to all groups of requests, and the seconds for a group while the engine is full.

    The seconds are None if all answers were in the log.
    """
    engine = open_engine(config, name, build.workdir)
    log = build.workdir.open_log(engine.fingerprint)
    requests = [request for group in groups[1:] for request in group]

    async def ask() -> tuple[list[Answer | None], float, bool]:
        pool = open_pool(engine, log, PoolOptions(meter=meter))
        try:
            first = await pool.ask(groups[0])
            logged_before, started = len(log), time.monotonic()
            rest = await pool.ask(requests)
            return [*first, *rest], time.monotonic() - started, len(log) > logged_before
        finally:
            await pool.close()

    answers, seconds, has_new_answers = asyncio.run(ask())
    if not has_new_answers:
        return answers, None
    timed = len(groups) - 1
    if isinstance(engine, ServerEngine):  # a round of calls takes as long as one call
        rounds = -(-timed // engine.concurrency)
        return answers, seconds / rounds / engine.concurrency
    return answers, seconds / timed


def print_plan(lines: list[Line], title: str) -> None:
    """Print a table: a line for each stage and language, and the sums."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    # Without borders, the table of a large build fits into 80 columns.
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 0), pad_edge=False)
    for column in ("stage", "language"):
        table.add_column(column, no_wrap=True)
    for column in ("rows", "tokens read", "tokens written", "hours", "cost"):
        table.add_column(column, justify="right", no_wrap=True)
    stages = dict.fromkeys(line.stage for line in lines)
    for stage in stages:
        stage_lines = [line for line in lines if line.stage == stage]
        for line in stage_lines:
            table.add_row(stage, line.language, *_cells([line]))
        if len(stage_lines) > 1:
            table.add_row(stage, "all", *_cells(stage_lines), style="bold")
        table.add_section()
    table.add_row("all", "all", *_cells(lines), style="bold")
    Console().print(table)
    if any(line.hours is None for line in lines):
        print(
            "Hours are not known: give `throughput: {NAME: TOKENS_PER_SECOND}` in the recipe, "
            "or measure with --probe N."
        )
    if not all(line.measured for line in lines if line.tokens):
        print("Tokens written are an upper bound: as many as max_tokens allows. Measure with --probe N.")


def _cells(lines: Sequence[Line]) -> list[str]:
    """Return the sums of some lines; hours are `?` if those of one line are not known."""
    rows = sum(line.rows for line in lines)
    prompt_tokens = sum(line.prompt_tokens for line in lines)
    tokens = sum(line.tokens for line in lines)
    cost = sum(line.cost for line in lines)
    hours = [line.hours for line in lines if line.hours is not None]
    total = f"{sum(hours):,.2f}" if len(hours) == len(lines) else "?"
    return [f"{rows:,}", f"{prompt_tokens:,}", f"{tokens:,}", total, f"{cost:,.2f}"]
