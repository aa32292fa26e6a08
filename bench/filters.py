"""Filters on real text: what they keep, what they catch, and how fast, beside langdetect and lingua alone in the same run."""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from bench import filters_speed
from bench.filters_speed import working_rows
from bench.real_text import CODES, identification, jsonl, tsv
from bench.table import Row, show
from polypref.builders.filters.apply import NAMES, Filters, measure_rows
from polypref.languages.codes import PAPER_23
from polypref.languages.verify import verify

ALL_OFF = dict.fromkeys(NAMES) | {
    name: False for name, field in Filters.model_fields.items() if field.annotation is bool
}

Text = Mapping[str, str | None]  # `text`, `language` and perhaps `source`


def run(args: argparse.Namespace) -> None:
    """Prints the figures; all but the duplicates' need the folder of real text."""
    data = Path(args.data) if args.data else None
    if data is None:
        print("filters: no --data, so only what needs no real text")
    else:
        show("Language", language(data))
        show("Repetition and translation", translations(data))
        show("Speed", filters_speed.rows_a_second(data))
    show("Duplicates", filters_speed.duplicates())


def language(data: Path) -> Iterator[Row]:
    """Right language accepted, wrong language rejected (every sentence claimed to be each of the 22 others), short texts; and LPR."""
    rows = identification(data)
    found = {
        name: _accepted(rows, name, at)
        for name, at in (("cascade", 0.2), ("lingua", 0.2), ("langdetect", 0.1))
    }
    names = (
        "right accepted, sentences",
        "wrong rejected, sentences",
        "right accepted, word pairs",
        "right accepted, single words",
    )
    reach = (">= 99.7%, worst >= 98.5%", ">= 99.9%, worst >= 96%", ">= 98%", ">= 98%")
    for what, ours, goal, *rivals in zip(
        names, found["cascade"], reach, found["lingua"], found["langdetect"], strict=True
    ):
        yield what, ours, goal, "lingua {}; langdetect {}".format(*rivals)
    from bench.confusion import monolingual

    for model, published in (
        ("llama-2-instruct", 48.3),
        ("command-r", 99.3),
        ("command-r-plus", 99.7),
        ("mistral-8x7b", 73.4),
    ):
        lpr, wpr = monolingual(data, model)
        yield (
            f"monolingual LPR, {model}",
            f"{100 * lpr:.1f} (WPR {100 * wpr:.1f})",
            f"{published} +- 1.0",
            "-",
        )


def _accepted(
    rows: Sequence[tuple[str, str, str]], identifier: str, threshold: float
) -> tuple[str, str, str, str]:
    sizes = Counter((code, kind) for code, kind, _ in rows)
    right: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for code, kind, text in rows:
        right[code, kind] += verify(text, code, threshold, identifier).outcome != "no"
        if kind == "sentences":
            for claimed in PAPER_23:
                if claimed != code:
                    wrong[code, claimed] += verify(text, claimed, threshold, identifier).outcome != "no"
    claims = sum(n * (len(PAPER_23) - 1) for (_, kind), n in sizes.items() if kind == "sentences")
    hardest = max(wrong, key=lambda pair: wrong[pair] / sizes[pair[0], "sentences"])
    worst = min(PAPER_23, key=lambda code: right[code, "sentences"] / sizes[code, "sentences"])
    kinds = ("sentences", "word-pairs", "single-words")
    shares = {
        kind: sum(right[c, kind] for c in PAPER_23) / sum(sizes[c, kind] for c in PAPER_23) for kind in kinds
    }
    return (
        f"{shares['sentences']:.2%}, {worst[:3]} {right[worst, 'sentences'] / sizes[worst, 'sentences']:.1%}",
        f"{1 - wrong.total() / claims:.2%}, {hardest[0][:3]} as {hardest[1][:3]} {1 - wrong[hardest] / sizes[hardest[0], 'sentences']:.1%}",
        f"{shares['word-pairs']:.1%}",
        f"{shares['single-words']:.1%}",
    )


def translations(data: Path) -> Iterator[Row]:
    """Oscillation and degeneration against human flags, and correct translations and references that are kept."""
    rows = tsv(data / "nmt_hallucinations/guerreiro_de_en.tsv")
    subjects = [{"text": row["mt"], "language": "eng_Latn", "source": row["src"]} for row in rows]
    flags = _rejected(subjects, _only("oscillation"))
    yield (
        "oscillation, Guerreiro de-en",
        _scored(flags, [r["repetitions"] == "1" for r in rows]),
        "R >= 60%, P >= 85%",
        _bigrams(rows),
    )
    rated = [
        row for row in tsv(data / "tata/human_annotations.tsv") if row["interpretable"] in ("0.0", "1.0")
    ]
    codes = {
        "ar": "arb_Arab",
        "en": "eng_Latn",
        "fr": "fra_Latn",
        "ha": "hau_Latn",
        "ig": "ibo_Latn",
        "pt": "por_Latn",
        "sw": "swh_Latn",
    }
    outputs = [{"text": row["output"], "language": codes.get(row["lang"], "yor_Latn")} for row in rated]
    degenerate = _only("loop", "repetition", "repeated_lines", "empty")
    flags = _rejected(outputs, degenerate)
    yield (
        "uninterpretable, tata",
        _scored(flags, [r["interpretable"] == "0.0" for r in rated]),
        "R >= 60%, P >= 95%",
        "-",
    )
    references = [flag for flag, row in zip(flags, rated, strict=True) if row["model"] == "reference"]
    yield "references of tata flagged", f"{sum(references) / len(references):.2%}", "<= 0.3%", "-"
    correct = [subject for subject, row in zip(subjects, rows, strict=True) if row["correctness"] == "1"]
    yield "correct translations kept, Guerreiro", _kept(correct), ">= 99%", "-"
    problems = tsv(data / "mgsm/mgsm.tsv")
    english = {row["n"]: row["question"] for row in problems if row["lang"] == "en"}
    known = [row for row in problems if row["lang"] in CODES and row["lang"] != "en"]
    questions = [
        {"text": row["question"], "language": CODES[row["lang"]], "source": english[row["n"]]}
        for row in known
    ]
    yield "references kept, MGSM", _kept(questions), ">= 99%", "-"
    for name, kept in (
        ("questions", multi_turn(data, "questions", True)),
        ("GPT-4 answers", multi_turn(data, "reference_answers", False)),
    ):
        yield f"{name} kept, MT-Bench in other languages", _kept(kept), ">= 99%", "-"


def multi_turn(data: Path, name: str, with_source: bool) -> list[Text]:
    """MT-Bench's turns in those of the 23 languages that it has, with the English turn where it was translated from one."""
    rows = list(jsonl(data / f"mt_bench_multilingual/{name}.jsonl.gz"))
    english = {row["question_id"]: row["turns"] for row in rows if row["lang"] == "en"}
    return [
        {
            "text": turn,
            "language": CODES[row["lang"]],
            "source": english[row["question_id"]][i] if with_source else None,
        }
        for row in rows
        if row["lang"] in CODES and row["lang"] != "en" and row["question_id"] in english
        for i, turn in enumerate(row["turns"])
    ]


def _only(*names: str) -> Filters:
    return Filters.model_validate(ALL_OFF | {name: Filters.model_fields[name].default for name in names})


def _kept(texts: Sequence[Text]) -> str:
    reasons = Counter(measure_rows(working_rows(texts), Filters())["rejected_by"].to_list())
    kept = reasons.pop(None, 0)
    return f"{kept / len(texts):.2%} of {len(texts)} {dict(reasons.most_common(4)) or ''}"


def _rejected(texts: Sequence[Text], filters: Filters) -> list[bool]:
    return measure_rows(working_rows(texts), filters)["rejected_by"].is_not_null().to_list()


def _scored(flags: Sequence[bool], wanted: Sequence[bool]) -> str:
    hits = sum(flag and want for flag, want in zip(flags, wanted, strict=True))
    return f"R {hits / sum(wanted):.1%}, P {hits / max(1, sum(flags)):.1%} ({hits} of {sum(flags)})"


def _bigrams(rows: Sequence[dict[str, str]]) -> str:
    """A share of repeated bigrams over .3, the source not looked at."""

    def share(text: str) -> float:
        words = text.lower().split()
        pairs = list(pairwise(words))
        return 1 - len(set(pairs)) / len(pairs) if pairs else 0.0

    return "bigram share > .3: " + _scored(
        [share(row["mt"]) > 0.3 for row in rows], [row["repetitions"] == "1" for row in rows]
    )
