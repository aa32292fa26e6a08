"""Completions of an evaluation's prompts, and their scores.

Engines get the requests of one language at a time, in the order of keys: an engine in this process plans its
batches per language, so neither the order of the prompts nor the other languages change a completion. Answers
are kept in the work dir and never asked twice.
"""

import itertools
from collections.abc import Callable, Mapping

import polars as pl

from polypref.engines.base import Answer, Request
from polypref.engines.config import EngineConfig
from polypref.engines.pool import ask_in_groups
from polypref.engines.start import open_engine
from polypref.progress import Progress
from polypref.store.workdir import Workdir

COMPLETIONS = ("prompt_id", "language", "prompt", "model", "sample", "completion", "finish_reason")

# (prompt_id, language, completion) -> score; the higher score wins.
Verdict = Callable[[str, str, str], float]


def complete_prompts(
    generators: Mapping[str, EngineConfig], prompts: pl.DataFrame, samples: int, workdir: Workdir
) -> pl.DataFrame:
    """Return one row per model, prompt and sample, with the columns COMPLETIONS.

    `completion` is null if the call failed, for now or for good.

    Raises InputError: a model cannot be used.
    """
    numbers = pl.DataFrame({"sample": range(samples)}, schema={"sample": pl.Int32})
    asked = prompts.sort("language", "prompt_id").join(numbers, how="cross")
    frames = []
    for name, config in generators.items():
        rows = asked.with_columns(messages="prompt", model=pl.lit(name))
        texts, reasons = [], []
        for answer in _ask_engine(config, f"generate {name}", rows, workdir):
            texts.append(answer.text if answer and not answer.error else None)
            reasons.append(answer.finish_reason if answer else None)
        rows = rows.with_columns(
            pl.Series("completion", texts, dtype=pl.String),
            pl.Series("finish_reason", reasons, dtype=pl.String),
        )
        frames.append(rows.select(COMPLETIONS))
    return pl.concat(frames)


def score_completions(config: EngineConfig, completions: pl.DataFrame, workdir: Workdir) -> pl.DataFrame:
    """Add a reward model's `score` to every row; null without a completion."""
    reply = pl.struct(role=pl.lit("assistant"), content="completion")
    rows = (
        completions.with_row_index("row")
        .filter(pl.col("completion").is_not_null())
        .sort("language", "prompt_id", "model", "sample")
        .with_columns(messages=pl.concat_list("prompt", reply))
    )
    answers = _ask_engine(config, "score completions", rows, workdir)
    values = [answer.score if answer else None for answer in answers]
    scores = rows.select("row", pl.Series("score", values, dtype=pl.Float64))
    scored = completions.with_row_index("row").join(scores, on="row", how="left", maintain_order="left")
    return scored.drop("row")


def judge_completions(verdict: Verdict, completions: pl.DataFrame) -> pl.DataFrame:
    """Add a function's `score` to every row; null without a completion."""
    scores = []
    for prompt_id, language, text in completions.select("prompt_id", "language", "completion").iter_rows():
        scores.append(None if text is None else float(verdict(prompt_id, language, text)))
    return completions.with_columns(pl.Series("score", scores, dtype=pl.Float64))


def _ask_engine(
    config: EngineConfig, title: str, rows: pl.DataFrame, workdir: Workdir
) -> list[Answer | None]:
    """Return one answer per row of (language, messages, sample), which must be sorted by language."""
    engine = open_engine(config, title, workdir)
    log = workdir.open_log(engine.fingerprint)
    groups = []
    for part in rows.partition_by("language", maintain_order=True):
        asked = part.select("messages", "sample").rows()
        groups.append([Request(messages, sample) for messages, sample in asked])
    with Progress(title, rows.height) as progress:
        answers_by_language = ask_in_groups(engine, groups, log, progress)
    return list(itertools.chain.from_iterable(answers_by_language))
