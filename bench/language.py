"""Verification of languages, beside identifiers alone; and language confusion of published completions."""

import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import mean

from bench.real_text import CODES, Sample, identification, read_jsonl
from bench.table import Row
from polypref.languages.codes import PAPER_23
from polypref.languages.confusion import Confusion, find_confusion, line_pass_rate, word_pass_rate
from polypref.languages.verify import verify

THRESHOLDS = {"cascade": 0.2, "lingua": 0.2, "langdetect": 0.1}
# LPR as the benchmark published it for llama-2, and with another identifier for the others.
PUBLISHED = {"llama-2-instruct": 48.3, "command-r": 99.3, "command-r-plus": 99.7, "mistral-8x7b": 73.4}
OTHER_SCRIPTS = ("ar", "hi", "ja", "ko", "ru", "zh")  # than Latin: the languages that have a WPR


def language_figures(data: Path) -> Iterator[Row]:
    """Yield the shares of right claims accepted and wrong ones rejected, and monolingual LPR."""
    samples = identification(data)
    figures = {name: _acceptance(samples, name) for name in THRESHOLDS}
    goals = {
        "right accepted, sentences": ">= 99.7%, worst >= 98.5%",
        "wrong rejected, sentences": ">= 99.9%, worst >= 96%",
        "right accepted, word pairs": ">= 98%",
        "right accepted, single words": ">= 98%",
    }
    for number, (measure, goal) in enumerate(goals.items()):
        rival = f"lingua {figures['lingua'][number]}; langdetect {figures['langdetect'][number]}"
        yield Row(measure, figures["cascade"][number], goal, rival)
    for model, published in PUBLISHED.items():
        lpr, wpr = _monolingual_rates(data, model)
        figure = f"{100 * lpr:.1f} (WPR {100 * wpr:.1f})"
        yield Row(f"monolingual LPR, {model}", figure, f"{published} +- 1.0")


def _acceptance(samples: Sequence[Sample], identifier: str) -> list[str]:
    """Return the four shares, with every sentence also claimed to be in each of the 22 others."""
    threshold = THRESHOLDS[identifier]
    sizes = Counter((sample.code, sample.kind) for sample in samples)
    right: Counter[tuple[str, str]] = Counter()  # by language and kind
    wrong: Counter[tuple[str, str]] = Counter()  # by language and claim, of sentences
    for code, kind, text in samples:
        right[code, kind] += verify(text, code, threshold, identifier).outcome != "no"
        if kind != "sentences":
            continue
        for claim in PAPER_23:
            if claim != code:
                wrong[code, claim] += verify(text, claim, threshold, identifier).outcome != "no"

    def share(kind: str) -> float:
        accepted = sum(right[code, kind] for code in PAPER_23)
        return accepted / sum(sizes[code, kind] for code in PAPER_23)

    sentences = {code: sizes[code, "sentences"] for code in PAPER_23}
    accepted = {code: right[code, "sentences"] / sentences[code] for code in PAPER_23}
    worst = min(PAPER_23, key=lambda code: accepted[code])
    rejected = {(code, claim): 1 - count / sentences[code] for (code, claim), count in wrong.items()}
    code, claim = min(rejected, key=lambda pair: rejected[pair])
    all_rejected = 1 - wrong.total() / (sum(sentences.values()) * (len(PAPER_23) - 1))
    return [
        f"{share('sentences'):.2%}, {worst[:3]} {accepted[worst]:.1%}",
        f"{all_rejected:.2%}, {code[:3]} as {claim[:3]} {rejected[code, claim]:.1%}",
        f"{share('word-pairs'):.1%}",
        f"{share('single-words'):.1%}",
    ]


def _monolingual_rates(data: Path, model: str) -> tuple[float, float]:
    """Return LPR and WPR: of each source in a language, the mean over its sources, then over languages."""
    groups: dict[tuple[str, str], list[Confusion]] = defaultdict(list)
    for row in read_jsonl(data / f"language_confusion/outputs_{model}.jsonl.gz"):
        if row["task"] == "monolingual":
            confusion = find_confusion(row["completion"], CODES[row["language"]], _english_words(data))
            groups[row["language"], row["source"]].append(confusion)
    line_rates, word_rates = defaultdict(list), defaultdict(list)
    for (language, _), confusions in groups.items():
        lpr, wpr = line_pass_rate(confusions), word_pass_rate(confusions)
        if lpr is not None:
            line_rates[language].append(lpr)
        if wpr is not None and language in OTHER_SCRIPTS:
            word_rates[language].append(wpr)
    return mean(map(mean, line_rates.values())), mean(map(mean, word_rates.values()))


@cache
def _english_words(data: Path) -> frozenset[str]:
    """Return the benchmark's list in lower case, without the words of up to three letters."""
    with gzip.open(data / "language_confusion/words.txt.gz", "rt", encoding="utf-8") as file:
        words = (line.strip().lower() for line in file)
        return frozenset(word for word in words if len(word) > 3)
