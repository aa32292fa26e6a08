"""Chosen and rejected: which two of a prompt's scored completions become a pair, and why there is none.

Every prompt ends as pairs or as one row with its reason: no_candidates, missing_score, identical, tie, under_margin,
native_not_better.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

import polars as pl

from polypref.builders.prompts import kept_rows
from polypref.builders.recipe import Pair
from polypref.schemas import COMPLETION_KEY, PROMPT_KEY, rows_to_frame, uniform

Candidate = dict[str, Any]  # a row of completions with its `score`


def ranked(
    config: Pair, prompts: pl.DataFrame, completions: pl.DataFrame, scores: pl.DataFrame
) -> pl.DataFrame:
    """The table `ranked`: a pair, or the reason why there is none, for each prompt that no filter rejected."""
    scores = scores.filter(pl.col("scorer") == config.scorer).select(*COMPLETION_KEY, "score")
    candidates = kept_rows(completions).join(scores, on=COMPLETION_KEY, how="left").sort(COMPLETION_KEY)
    of_prompt: dict[tuple[str, str], list[Candidate]] = {}
    for row in candidates.to_dicts():
        of_prompt.setdefault((row["prompt_id"], row["language"]), []).append(row)
    out = []
    for prompt in kept_rows(prompts).select(*PROMPT_KEY, "prompt").to_dicts():
        key = {
            "prompt_id": prompt["prompt_id"],
            "language": prompt["language"],
            "builder": config.builder,
            "rank": 0,
        }
        pair, reason = choose(config, of_prompt.get((prompt["prompt_id"], prompt["language"]), []))
        out.append(key | ({"rejected_by": reason} if pair is None else _row(prompt["prompt"], *pair)))
    return rows_to_frame(out, "ranked")


def choose(
    config: Pair, candidates: Sequence[Candidate]
) -> tuple[tuple[Candidate, Candidate] | None, str | None]:
    """((chosen, rejected), None), or (None, the reason why there is no pair)."""
    english = bool(candidates) and candidates[0]["language"] == "eng_Latn"
    native = [c for c in candidates if c["origin"] == "native"]
    translated = [c for c in candidates if c["origin"] == "translated"]
    match config.builder:
        case "native-vs-translated":
            field, enough = candidates, english or (bool(native) and bool(translated))
        case "native-chosen":
            field, enough = candidates, bool(native) and (english or bool(translated))
        case "native-vs-native":
            field, enough = native, True
        case "translate-all":
            field, enough = (native if english else translated), True
        case "best-vs-worst":
            field, enough = candidates, True
    if len(field) < 2 or not enough:
        return None, "no_candidates"
    if any(c["score"] is None for c in field):
        return None, "missing_score"
    worst, *_, best = sorted(field, key=_place)
    if config.builder == "native-chosen" and not english:
        best, worst = max(native, key=_place), min(translated, key=_place)
        if best["score"] < worst["score"]:
            return None, "native_not_better"
    if config.builder == "native-vs-translated" and not english:
        best, worst = _across(native, translated)
    if _same(best["completion"], worst["completion"]):
        return None, "identical"
    if best["score"] == worst["score"]:
        return None, "tie"
    if best["score"] - worst["score"] < config.margin:
        return None, "under_margin"
    return (best, worst), None


def _place(candidate: Candidate) -> tuple[float, float]:
    """The score; among equals a hash, so that no generator is favoured by its name."""
    return candidate["score"], uniform(
        candidate["prompt_id"], f"{candidate['generator']} {candidate['origin']} {candidate['sample']}"
    )


def _across(native: Sequence[Candidate], translated: Sequence[Candidate]) -> tuple[Candidate, Candidate]:
    """The pair of one native and one translated completion whose scores lie furthest apart, the higher one first."""
    pairs = [sorted((n, t), key=_place) for n in native for t in translated]
    worst, best = max(pairs, key=lambda pair: (pair[1]["score"] - pair[0]["score"], _place(pair[1])))
    return best, worst


def _same(one: str, other: str) -> bool:
    return " ".join(unicodedata.normalize("NFC", one).split()) == " ".join(
        unicodedata.normalize("NFC", other).split()
    )


def _row(prompt: list[dict[str, str]], chosen: Candidate, rejected: Candidate) -> dict[str, Any]:
    row: dict[str, Any] = {
        "prompt": prompt,
        "margin": chosen["score"] - rejected["score"],
        "rejected_by": None,
    }
    for side, candidate in (("chosen", chosen), ("rejected", rejected)):
        row[side] = [{"role": "assistant", "content": candidate["completion"]}]
        row[f"{side}_model"] = candidate["generator"]
        row[f"{side}_origin"] = candidate["origin"]
        row[f"{side}_sample"] = candidate["sample"]
        row[f"{side}_score"] = candidate["score"]
        row[f"{side}_tokens"] = candidate["tokens"]
    return row
