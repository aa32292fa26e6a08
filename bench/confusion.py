"""LPR and WPR of the models whose completions the Language Confusion Benchmark published."""

import gzip
from collections import defaultdict
from functools import cache
from pathlib import Path
from statistics import mean

from bench.real_text import CODES, jsonl
from polypref.languages.confusion import Confusion, find_confusion, line_pass_rate, word_pass_rate

OTHER_SCRIPTS = ("ar", "hi", "ja", "ko", "ru", "zh")


def monolingual(data: Path, model: str) -> tuple[float, float]:
    """Monolingual LPR and WPR: by source and language, the mean over sources by language, then over languages."""
    found: dict[tuple[str, str], list[Confusion]] = defaultdict(list)
    for row in jsonl(data / f"language_confusion/outputs_{model}.jsonl.gz"):
        if row["task"] == "monolingual":
            found[row["language"], row["source"]].append(
                find_confusion(row["completion"], CODES[row["language"]], _english(data))
            )
    lines, words = defaultdict(list), defaultdict(list)
    for (code, _), group in found.items():
        if (lpr := line_pass_rate(group)) is not None:
            lines[code].append(lpr)
        if code in OTHER_SCRIPTS and (wpr := word_pass_rate(group)) is not None:
            words[code].append(wpr)
    return mean(map(mean, lines.values())), mean(map(mean, words.values()))


@cache
def _english(data: Path) -> frozenset[str]:
    with gzip.open(data / "language_confusion/words.txt.gz", "rt", encoding="utf-8") as file:
        return frozenset(word for line in file if len(word := line.strip().lower()) > 3)
