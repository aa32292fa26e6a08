"""What a recipe will take before anything is spent: rows, tokens, hours and money, by stage and language.

Rows are counted from the source prompts, as if no filter rejected any later. A token is taken to be four bytes of UTF-8,
and an answer as long as its recipe allows, unless a probe measured them: a few prompts asked of every engine, whose
answers are kept for the build. Hours come from the probe or from the recipe's `throughput`; money from the engines'
prices. It does not know how prompts in other languages differ from the probed ones,
nor that a server may be slower with all its slots in use than with the few of a small probe.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from polypref.builders.build import PIVOT, Build
from polypref.builders.filters.measures import kept_rows
from polypref.builders.recipe import ImportedScores, LanguageRule
from polypref.builders.translate import texts
from polypref.engines.base import Answer, Engine, Request, Server
from polypref.engines.budget import Meter, Price
from polypref.engines.pool import Pool
from polypref.engines.start import open_engine
from polypref.store.parts import read_parts

BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One stage in one language; None is not known."""

    stage: str
    language: str
    rows: int
    prompt_tokens: int
    tokens: int
    hours: float | None
    cost: float
    measured: bool


@dataclass(frozen=True, slots=True)
class Measure:
    """What one row takes of an engine: tokens written, as a factor of those read or absolute, and seconds, all slots in use."""

    tokens: float
    per_prompt_token: bool
    seconds: float | None
    measured: bool = False


def estimate(build: Build, probe: int = 0) -> list[Line]:
    """The stages of a prepared build. With `probe`, so many English prompts (or of the first language) are asked of every engine."""
    recipe = build.recipe
    sizes = {code: _sizes(build, code) for code in build.found if code in build.languages or code == PIVOT}
    english = sizes.get(PIVOT, (0, 0))
    prompts = {code: sizes.get(code, (0, 0)) for code in build.languages}
    for code in build.languages:
        if recipe.translate and code != PIVOT:
            prompts[code] = (prompts[code][0] + english[0], prompts[code][1] + english[1])
    measures = _probed(build, probe) if probe else {}
    lines: list[Line] = []

    def add(
        stage: str, name: str, code: str, size: tuple[int, int], default: tuple[float, bool], price: Price
    ) -> int:
        """A line, and the tokens written in it."""
        rows, prompt_tokens = size
        throughput = recipe.throughput.get(name)
        measure = measures.get(name) or Measure(*default, None)
        tokens = round(measure.tokens * (prompt_tokens if measure.per_prompt_token else rows))
        seconds = (
            rows * measure.seconds
            if measure.seconds is not None
            else (tokens or prompt_tokens) / throughput
            if throughput
            else None
        )
        hours = None if seconds is None else seconds / 3600
        lines.append(
            Line(
                stage,
                code,
                rows,
                prompt_tokens,
                tokens,
                hours,
                price.of(prompt_tokens, tokens),
                measure.measured,
            )
        )
        return tokens

    if recipe.translate and recipe.translate.engine:
        for code in build.languages:
            if code != PIVOT and PIVOT in build.found:
                add("translate prompts", "translate", code, english, (1.0, True), Price())
    written: dict[
        tuple[str, str], tuple[int, int]
    ] = {}  # rows and tokens of completions, by generator and language
    for name, config in recipe.complete.generators.items():
        if config.engine is None:
            continue
        price, longest = (
            getattr(config.engine, "price", Price()),
            (float(config.engine.sampling.max_tokens), False),
        )
        for code in (PIVOT,) if config.pivot else build.languages:
            rows, tokens = prompts.get(code, english)
            size = rows * config.samples, tokens * config.samples
            written[name, code] = size[0], add(f"complete {name}", name, code, size, longest, price)
        if config.pivot:
            for code in build.languages:
                if code != PIVOT:
                    pivoted = written[name, PIVOT]
                    written[name, code] = (
                        pivoted[0],
                        add(f"translate {name}", "translate", code, pivoted, (1.0, True), Price()),
                    )
    for scorer, scoring in recipe.score.items():
        if not isinstance(scoring, LanguageRule | ImportedScores):
            for code in build.languages:
                found = [(size, prompts[code]) for (_, language), size in written.items() if language == code]
                rows = sum(size[0] for size, _ in found)
                read = sum(size[1] + prompt[1] for size, prompt in found)
                add(f"score {scorer}", scorer, code, (rows, read), (0.0, False), Price())
    return lines


def _sizes(build: Build, code: str) -> tuple[int, int]:
    """The living source prompts of a language, and their tokens."""
    rows = kept_rows(read_parts(build.workdir.table("prompts", "source", code, parts=build.parts)))
    return rows.height, sum(map(_tokens, rows["prompt"].to_list()))


def _tokens(messages: Sequence[dict[str, str]]) -> int:
    return (
        sum(len(message["content"].encode("utf-8", "surrogatepass")) for message in messages)
        // BYTES_PER_TOKEN
    )


def _probed(build: Build, count: int) -> dict[str, Measure]:
    """Asks every engine a few prompts; what it measured, by the engine's name (`translate` for the translator)."""
    recipe, workdir = build.recipe, build.workdir
    code = PIVOT if PIVOT in build.found else next(iter(build.found))
    rows = (
        kept_rows(read_parts(workdir.table("prompts", "source", code, parts=build.parts)))
        .sort("prompt_id")
        .head(count + 1)
    )
    prompts = rows["prompt"].to_list()
    measures: dict[str, Measure] = {}
    given: list[tuple[list[dict[str, str]], Answer]] = []
    with Meter(recipe.budget, workdir) as meter:
        for name, config in recipe.complete.generators.items():
            if config.engine:
                engine = open_engine(config.engine, name, workdir)
                found, seconds = _asked(build, meter, engine, [[Request(prompt)] for prompt in prompts])
                given += [(prompt, answer) for prompt, answer in zip(prompts, found, strict=True) if answer]
                measures[name] = Measure(
                    _mean([answer.tokens for answer in found if answer]), False, seconds, True
                )
        target = next((code for code in build.languages if code != PIVOT), None)
        if recipe.translate and recipe.translate.engine and target and code == PIVOT:
            engine = open_engine(recipe.translate.engine, "translate", workdir)
            asked = [
                list(next(texts([[message["content"] for message in prompt]], target, recipe.translate)))
                for prompt in prompts
            ]
            found, seconds = _asked(build, meter, engine, asked)
            read = sum(map(_tokens, prompts))
            measures["translate"] = Measure(
                sum(answer.tokens for answer in found if answer) / max(1, read), True, seconds, True
            )
        for scorer, scoring in recipe.score.items():
            if not isinstance(scoring, LanguageRule | ImportedScores) and given:
                engine = open_engine(scoring, scorer, workdir)
                chats = [
                    [Request([*prompt, {"role": "assistant", "content": answer.text}])]
                    for prompt, answer in given
                ]
                _, seconds = _asked(build, meter, engine, chats)
                measures[scorer] = Measure(0.0, False, seconds, True)
    return measures


def _asked(
    build: Build, meter: Meter, engine: Engine, groups: list[list[Request]]
) -> tuple[list[Answer | None], float | None]:
    """The answers to all groups, and the seconds a group takes while the engine is full; the first group loads the model."""
    log = build.workdir.open_log(engine.fingerprint)

    async def ask() -> tuple[list[Answer | None], float | None]:
        pool = Pool(engine, log, meter=meter)
        try:
            first = await pool.ask(groups[0])
            known, began = len(log), time.monotonic()
            rest = await pool.ask([request for group in groups[1:] for request in group])
            return [*first, *rest], time.monotonic() - began if len(
                log
            ) > known else None  # None: all of it was in the log
        finally:
            await pool.close()

    found, seconds = asyncio.run(ask())
    if seconds is None:
        return found, None
    if isinstance(engine, Server):  # a round takes as long as a call, however many are under way
        rounds = -(-(len(groups) - 1) // engine.concurrency)
        return found, seconds / rounds / engine.concurrency
    return found, seconds / (len(groups) - 1)


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0.0


def print_plan(lines: list[Line], title: str) -> None:
    """A table: a line a stage and language, the stages' and the whole's sums."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in ("stage", "language", "rows", "tokens read", "tokens written", "hours", "cost"):
        table.add_column(column, justify="left" if column in ("stage", "language") else "right", no_wrap=True)
    stages: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        stages[line.stage].append(line)
    for stage, parts in stages.items():
        for line in parts:
            table.add_row(stage, line.language, *_cells([line]))
        table.add_row(stage, "all", *_cells(parts), style="bold", end_section=True)
    table.add_row("all", "all", *_cells(lines), style="bold")
    Console().print(table)
    if any(line.hours is None for line in lines):
        print(
            "Hours are not known: give `throughput: {NAME: TOKENS_A_SECOND}` in the recipe, or measure with --probe N."
        )
    if not all(line.measured for line in lines if line.tokens):
        print("Tokens written are at most so many: as many as max_tokens allows. Measure with --probe N.")


def _cells(lines: Sequence[Line]) -> list[str]:
    hours = None if any(line.hours is None for line in lines) else sum(line.hours or 0.0 for line in lines)
    counts = [
        sum(line.rows for line in lines),
        sum(line.prompt_tokens for line in lines),
        sum(line.tokens for line in lines),
    ]
    return [
        *(f"{count:,}" for count in counts),
        "?" if hours is None else f"{hours:,.2f}",
        f"{sum(line.cost for line in lines):,.2f}",
    ]
