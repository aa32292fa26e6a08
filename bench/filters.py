"""Filters on real text: how many faults they catch, how much good text they keep, and how fast they are."""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from bench import filters_speed
from bench.filters_speed import working_rows
from bench.language import language_figures
from bench.real_text import CODES, read_jsonl, read_tsv
from bench.table import Row, show
from polypref.builders.filters.apply import NAMES, Filters, measure_rows
from polypref.languages.codes import language

Text = Mapping[str, str | None]  # `text`, `language` and perhaps `source`


def run(args: argparse.Namespace) -> None:
    """Print the figures; all but the duplicates' need the folder of real text."""
    if args.data is None:
        print("filters: no --data, so only the figures that need no real text")
    else:
        data = Path(args.data)
        show("Language", language_figures(data))
        show("Repetition and translation", translation_figures(data))
        show("Speed", filters_speed.rows_per_second(data))
    show("Duplicates", filters_speed.duplicates())


def translation_figures(data: Path) -> Iterator[Row]:
    """Yield the recall and precision of faults that people flagged, and the share of good texts kept."""
    rows = read_tsv(data / "nmt_hallucinations/guerreiro_de_en.tsv")
    texts: list[Text] = [{"text": row["mt"], "language": "eng_Latn", "source": row["src"]} for row in rows]
    oscillates = [row["repetitions"] == "1" for row in rows]
    rejected = _rejected(texts, _only("oscillation"))
    rival = _scored([_bigram_share(row["mt"]) > 0.3 for row in rows], oscillates)
    yield Row(
        "oscillation, Guerreiro de-en",
        _scored(rejected, oscillates),
        "R >= 60%, P >= 85%",
        f"repeated bigrams > .3: {rival}",
    )
    yield from _degeneration(data)
    correct = [text for text, row in zip(texts, rows, strict=True) if row["correctness"] == "1"]
    yield Row("correct translations kept, Guerreiro", _kept(correct), ">= 99%")
    yield Row("references kept, MGSM", _kept(mgsm_questions(data)), ">= 99%")
    for title, name in (("questions", "questions"), ("GPT-4 answers", "reference_answers")):
        yield Row(f"{title} kept, MT-Bench in other languages", _kept(mt_bench_turns(data, name)), ">= 99%")


def _degeneration(data: Path) -> Iterator[Row]:
    rows = read_tsv(data / "tata/human_annotations.tsv")
    rows = [row for row in rows if row["interpretable"] in ("0.0", "1.0")]
    outputs: list[Text] = [{"text": row["output"], "language": language(row["lang"]).code} for row in rows]
    rejected = _rejected(outputs, _only("loop", "repetition", "repeated_lines", "empty"))
    uninterpretable = [row["interpretable"] == "0.0" for row in rows]
    yield Row("uninterpretable, tata", _scored(rejected, uninterpretable), "R >= 60%, P >= 95%")
    references = [flag for flag, row in zip(rejected, rows, strict=True) if row["model"] == "reference"]
    yield Row("references of tata flagged", f"{sum(references) / len(references):.2%}", "<= 0.3%")


def mgsm_questions(data: Path) -> list[Text]:
    """Return MGSM's questions in those of the 23 languages that it has, with their English sources."""
    rows = read_tsv(data / "mgsm/mgsm.tsv")
    english = {row["n"]: row["question"] for row in rows if row["lang"] == "en"}
    texts: list[Text] = []
    for row in rows:
        if row["lang"] in CODES and row["lang"] != "en":
            source = english[row["n"]]
            texts.append({"text": row["question"], "language": CODES[row["lang"]], "source": source})
    return texts


def mt_bench_turns(data: Path, name: str) -> list[Text]:
    """Return MT-Bench's turns in those of the 23 languages that it has.

    Questions have the English turns as sources; the answers were not translated from English.
    """
    rows = list(read_jsonl(data / f"mt_bench_multilingual/{name}.jsonl.gz"))
    english = {row["question_id"]: row["turns"] for row in rows if row["lang"] == "en"}
    texts: list[Text] = []
    for row in rows:
        if row["lang"] not in CODES or row["lang"] == "en" or row["question_id"] not in english:
            continue
        for number, turn in enumerate(row["turns"]):
            source = english[row["question_id"]][number] if name == "questions" else None
            texts.append({"text": turn, "language": CODES[row["lang"]], "source": source})
    return texts


def _only(*names: str) -> Filters:
    """Return the filters `names` at their default thresholds, and no others."""
    fields = Filters.model_fields
    thresholds = {name: False if fields[name].annotation is bool else None for name in NAMES}
    return Filters.model_validate(thresholds | {name: fields[name].default for name in names})


def _kept(texts: Sequence[Text]) -> str:
    """Return the share of texts that all filters keep, and the four most frequent reasons to reject."""
    reasons = Counter(measure_rows(working_rows(texts), Filters())["rejected_by"].to_list())
    kept = reasons.pop(None, 0)
    return f"{kept / len(texts):.2%} of {len(texts)} {dict(reasons.most_common(4)) or ''}"


def _rejected(texts: Sequence[Text], filters: Filters) -> list[bool]:
    return measure_rows(working_rows(texts), filters)["rejected_by"].is_not_null().to_list()


def _scored(flags: Sequence[bool], wanted: Sequence[bool]) -> str:
    """Return recall, precision, and the hits of all flags."""
    hits = sum(flag and want for flag, want in zip(flags, wanted, strict=True))
    return f"R {hits / sum(wanted):.1%}, P {hits / max(1, sum(flags)):.1%} ({hits} of {sum(flags)})"


def _bigram_share(text: str) -> float:
    """Return the share of repeated bigrams: the usual measure, which does not look at the source."""
    pairs = list(pairwise(text.lower().split()))
    return 1 - len(set(pairs)) / len(pairs) if pairs else 0.0
