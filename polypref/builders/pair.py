"""Pairs: which two of a prompt's scored completions become chosen and rejected, or why there is no pair.

Every prompt ends as a pair or as a row with a reason: no_candidates, missing_score, identical, tie,
under_margin, native_not_better.
"""

import itertools
import math
import unicodedata
from collections.abc import Sequence
from typing import Any

import polars as pl

from polypref.builders.filters.measures import kept_rows
from polypref.builders.recipe import Pair
from polypref.schemas import COMPLETION_KEY, PROMPT_KEY, uniform

Candidate = dict[str, Any]  # a row of completions with its `score`


def pair_part(
    config: Pair, prompt_tables: int, completion_tables: int, *tables: pl.DataFrame
) -> pl.DataFrame:
    """Make the pairs of a part; its `tables` are those of prompts, of completions and of scores, in order."""
    first_scores = prompt_tables + completion_tables
    prompts = pl.concat(tables[:prompt_tables])
    completions = pl.concat(tables[prompt_tables:first_scores])
    return make_pairs(config, prompts, completions, pl.concat(tables[first_scores:]))


def make_pairs(
    config: Pair, prompts: pl.DataFrame, completions: pl.DataFrame, scores: pl.DataFrame
) -> pl.DataFrame:
    """Return the table `ranked`: for each kept prompt a pair, or the reason why there is none."""
    scores = scores.filter(scorer=config.scorer).select(*COMPLETION_KEY, "score")
    candidates = kept_rows(completions).join(scores, on=COMPLETION_KEY, how="left").sort(COMPLETION_KEY)
    candidates = candidates.select(*COMPLETION_KEY, "score", "tokens", "completion").with_row_index("row")
    by_prompt: dict[tuple[str, str], list[Candidate]] = {}
    for candidate in candidates.drop("tokens").iter_rows(named=True):
        by_prompt.setdefault((candidate["prompt_id"], candidate["language"]), []).append(candidate)
    prompts = kept_rows(prompts).select(*PROMPT_KEY, "prompt")
    chosen: list[int | None] = []
    rejected: list[int | None] = []
    reasons: list[str | None] = []
    for key in prompts.select(PROMPT_KEY).iter_rows():
        pair, reason = choose(config, by_prompt.get(key, []))
        chosen.append(pair[0]["row"] if pair else None)
        rejected.append(pair[1]["row"] if pair else None)
        reasons.append(reason)
    rows = pl.concat(
        [
            prompts.with_columns(builder=pl.lit(config.builder), rank=pl.lit(0)),
            _side("chosen", candidates, chosen),
            _side("rejected", candidates, rejected),
            pl.DataFrame({"rejected_by": reasons}, schema={"rejected_by": pl.String}),
        ],
        how="horizontal",
    )
    return rows.with_columns(
        prompt=pl.when(pl.col("rejected_by").is_null()).then("prompt"),
        margin=pl.col("chosen_score") - pl.col("rejected_score"),
    )


def choose(
    config: Pair, candidates: Sequence[Candidate]
) -> tuple[tuple[Candidate, Candidate] | None, str | None]:
    """Return ((chosen, rejected), None), or (None, the reason why there is no pair)."""
    is_english = bool(candidates) and candidates[0]["language"] == "eng_Latn"
    native = [candidate for candidate in candidates if candidate["origin"] == "native"]
    translated = [candidate for candidate in candidates if candidate["origin"] == "translated"]
    match config.builder:
        case "native-vs-translated":
            field, complete = candidates, is_english or (bool(native) and bool(translated))
        case "native-chosen":
            field, complete = candidates, bool(native) and (is_english or bool(translated))
        case "native-vs-native":
            field, complete = native, True
        case "translate-all":
            field, complete = (native if is_english else translated), True
        case "best-vs-worst":
            field, complete = candidates, True
    if len(field) < 2 or not complete:
        return None, "no_candidates"
    if any(candidate["score"] is None or not math.isfinite(candidate["score"]) for candidate in field):
        return None, "missing_score"
    best, worst = max(field, key=_order), min(field, key=_order)
    if config.builder == "native-chosen" and not is_english:
        best, worst = max(native, key=_order), min(translated, key=_order)
        if best["score"] < worst["score"]:
            return None, "native_not_better"
    if config.builder == "native-vs-translated" and not is_english:
        best, worst = _furthest_apart(native, translated)
    if _normalised(best["completion"]) == _normalised(worst["completion"]):
        return None, "identical"
    if best["score"] == worst["score"]:
        return None, "tie"
    if best["score"] - worst["score"] < config.margin:
        return None, "under_margin"
    return (best, worst), None


def _order(candidate: Candidate) -> tuple[float, float]:
    """Return the score and, to order equal scores, a hash: order by name would favour a generator."""
    name = f"{candidate['generator']} {candidate['origin']} {candidate['sample']}"
    return candidate["score"], uniform(candidate["prompt_id"], name)


def _furthest_apart(
    native: Sequence[Candidate], translated: Sequence[Candidate]
) -> tuple[Candidate, Candidate]:
    """Return the native and the translated candidate whose scores differ most, the higher first."""
    pairs = []
    for pair in itertools.product(native, translated):
        worst, best = sorted(pair, key=_order)
        pairs.append((best, worst))
    return max(pairs, key=lambda pair: (pair[0]["score"] - pair[1]["score"], _order(pair[0])))


def _normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _side(side: str, candidates: pl.DataFrame, rows: Sequence[int | None]) -> pl.DataFrame:
    """Return the columns of the chosen or rejected candidates; null for a prompt without a pair."""
    picked = candidates[pl.Series(rows, dtype=pl.UInt32)]
    message = pl.struct(role=pl.lit("assistant"), content=pl.col("completion"))
    messages = pl.when(pl.col("completion").is_not_null()).then(pl.concat_list(message))
    return picked.select(
        messages.alias(side),
        pl.col("generator").alias(f"{side}_model"),
        pl.col("origin", "sample", "score", "tokens").name.prefix(f"{side}_"),
    )
