"""The section of sample pairs: one pair in each of a few languages, drawn by a hash."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from polypref.cards.folder import Facts, read_facts
from polypref.cards.load import scan_published
from polypref.cards.metadata import rows_by_split
from polypref.languages.codes import LANGUAGES
from polypref.schemas import uniform

SAMPLES = 6  # languages


def sampled_languages(pairs: Mapping[str, int], count: int = SAMPLES) -> list[str]:
    """Return `count` languages that have pairs, in as many scripts as possible, one of them right to left.

    The first language of a script is the one with the most pairs, English being the last; ties go by code.
    Scripts with more pairs come first.
    """
    codes = [code for code in pairs if pairs[code]]
    codes.sort(key=lambda code: (code == "eng_Latn", -pairs[code], code))
    first_of_script: dict[str, str] = {}
    for code in codes:
        first_of_script.setdefault(LANGUAGES[code].script, code)
    firsts = list(first_of_script.values())
    order = firsts + [code for code in codes if code not in firsts]
    right_to_left = [code for code in order if LANGUAGES[code].rtl][:1]
    sample = right_to_left + [code for code in order if code not in right_to_left]
    return sorted(sample[:count], key=order.index)


def sample_pairs(published: Path, facts: Facts) -> list[dict[str, Any]]:
    """Return one pair of each sampled language, with its prompt in English where there is one."""
    counts = {}
    for code, language in facts["languages"].items():
        counts[code] = sum(rows_by_split(language["files"]).values())
    samples = []
    for code in sampled_languages(counts):
        pairs = scan_published(published / "pairs", languages=[code])
        ids = pairs.select("prompt_id").collect()["prompt_id"].to_list()
        drawn = min(ids, key=lambda prompt_id: uniform(prompt_id, f"report {code}"))
        of_prompt = pairs.filter(pl.col("prompt_id") == drawn).sort("builder", "rank")
        pair = of_prompt.first().collect().row(0, named=True)
        samples.append({"code": code, "english": _english(published / "prompts", code, drawn), **pair})
    return samples


def _english(folder: Path, code: str, prompt_id: str) -> list[dict[str, str]] | None:
    """Return a prompt's English messages; None for an English prompt, and where they are not published."""
    facts = read_facts(folder)
    if code == "eng_Latn" or facts is None or not facts["languages"].get(code, {}).get("files"):
        return None
    prompts = scan_published(folder, languages=[code], columns=("prompt_id", "prompt_en"))
    texts = prompts.filter(pl.col("prompt_id") == prompt_id).collect()["prompt_en"].to_list()
    return texts[0] if texts else None
