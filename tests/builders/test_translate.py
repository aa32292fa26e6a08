"""Prompts of every kind through translators: pseudo-localisation, the demo's NLLB, an HTTP language model."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer

from bench.translate import read_prompts, silent_losses
from polypref.builders.filters.apply import NAMES, Filters
from polypref.builders.recipe import Translate
from polypref.builders.text import instructions
from polypref.builders.text.spans import KINDS, lost_reason
from polypref.builders.text.translator import Translation, translate_texts
from polypref.builders.translate import check_translations
from polypref.engines.base import Engine
from polypref.engines.config import Ct2Translator, HttpTranslator, PseudoTranslator
from polypref.engines.pseudo import PseudoEngine, pseudolocalise
from polypref.engines.start import open_engine
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir
from tests.checkers.intact import counted, prose_lines
from tests.checkers.stages import run_stage

CHECKPOINT = Path(__file__).parent.parent.parent / "polypref" / "demo" / "checkpoints" / "translator"
KEPT_ON = {"empty": True, "truncated": True, "too_long": 20_000, "equals_prompt": False, "refusal": False}
OFF = Filters.model_validate(dict.fromkeys(NAMES, None) | KEPT_ON)
PROMPTS = [
    ["Write a haiku about autumn. Keep it short!", "Now rewrite it.\n\nUse 3 lines and 17 syllables."],
    ["Fix this:\n```python\ndef f(x):\n    return x + 1  # Add one\n```\nWhat is wrong with `f(None)` here?"],
    [
        "Dear {name},\n\nvisit https://example.org/a_(b)?q=1&r=2 or mail to help@example.org. "
        "Your code is {{code}}."
    ],
    [
        "# Plan\n\n1. First step: open /etc/hosts\n2. Second step: run it\n"
        "   - nested with 5 km\n   * [ ] another\n\n> a quotation"
    ],
    [
        "| Name | Meaning of it |\n|------|:-------:|\n"
        "| foo_bar | the first thing |\n| $x^2$ | a square of 2 |"
    ],
    [
        "Solve \\(a+b\\) for a. Given that f(x) = 4x^3 - 9x, find f(2).\n"
        "$$\ny = mx + b\n$$\nExplain your answer."
    ],
    ["<task>Summarise the text.</task>\n<text>\nIt rained for 12 days. Nobody came.\n</text>"],
    ["What does 你好 mean in English? How do I pronounce “Fernweh”?"],
    ["User: Hello there, who are you?\nAssistant: I am an assistant.\nUser: Tell me a joke."],
    [
        "This is a line that was wrapped by hand at some sixty characters, and\n"
        "it goes on in the next line, as mail does."
    ],
    ["import os\nfor name in os.listdir('.'):\n    print(name)\n\nWhy does this print nothing at all?"],
    ["Tabs\tand columns\tof text\r\nwith other line ends\r\n"],
]
HOSTILE = {
    "20,000 words": ["\n".join(f"This is sentence number {i} of a prompt. It has two." for i in range(2000))],
    "3,000 characters in one sentence": [
        ", ".join(f"the thing of kind {i} that {{x{i}}} is named after" for i in range(75)) + "."
    ],
    "code alone": ["```c\nint main(void) { return 0; }\n```"],
    "empty turn": ["Say hello to the reader.", "", "And say goodbye."],
}


def rejected_by(
    sources: Sequence[Sequence[str]], rows: Sequence[Translation], target: str, config: Translate
) -> list[str | None]:
    """Return the reasons of translations; without a quality model no engine is asked."""
    with pytest.raises(StopIteration) as stop:
        next(check_translations(sources, rows, target, config))
    return stop.value.value["rejected_by"].to_list()


def asked(
    groups: Sequence[Sequence[str]], target: str, config: Translate, engine: Engine, folder: Path
) -> list[Translation | None]:
    """The stage, its requests answered through the pool as in a build."""
    return run_stage(
        translate_texts(groups, target, config), engine, AnswerLog(folder / f"{engine.name}-{target}.jsonl")
    )


def with_pseudo(
    groups: Sequence[Sequence[str]], target: str, folder: Path, faults: float = 0.0, seed: int = 0
) -> list[Translation]:
    config = PseudoTranslator(kind="pseudo", faults=faults, seed=seed)
    return [
        row
        for row in asked(
            groups, target, Translate(engine=config), PseudoEngine(config, f"pseudo{faults}{seed}"), folder
        )
        if row
    ]


def differences(source: Sequence[str], row: Translation) -> Counter[str]:
    differing = Counter[str]()
    for before, after in zip(source, row.texts, strict=True):
        for kind, (_, missing, new) in counted(before, after).items():
            differing[kind] += missing + new
        differing["prose left as it was"] += prose_lines(before, after)[1]
    return +differing


def test_pseudo_localisation() -> None:
    assert pseudolocalise("Open {0} now, Привет 5") == "⟦~~~~~~~ Öþéñ {0} ñöŵ, Привет\u0301 5⟧"


@pytest.mark.parametrize("target", ["deu_Latn", "arb_Arab", "zho_Hans", "jpn_Jpan", "tha_Thai"])
def test_every_kind_of_structure_survives_and_all_prose_is_translated(target: str, tmp_path: Path) -> None:
    rows = with_pseudo(PROMPTS, target, tmp_path)
    assert [row.lost for row in rows] == [()] * len(PROMPTS)
    for source, row in zip(PROMPTS, rows, strict=True):
        assert differences(source, row) == Counter()
        english = " ".join(row.texts)
        assert not any(
            word in english
            for word in (
                "autumn",
                "wrong",
                "visit",
                "step",
                "nested",
                "thing",
                "Explain",
                "rained",
                "mean",
                "joke",
            )
        )
        assert not any(
            "\u200e" <= c <= "\u200f" or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069"
            for c in english
        )
    joined = "⟧⟦" if target in ("zho_Hans", "jpn_Jpan") else "⟧ ⟦"
    assert joined in rows[0].texts[0]


def test_every_damaged_row_is_rejected_by_name_and_no_other(tmp_path: Path) -> None:
    config = Translate(engine=PseudoTranslator(kind="pseudo"), filters=OFF)
    whole = with_pseudo(PROMPTS, "deu_Latn", tmp_path)
    counts = Counter[str | None]()
    for seed in range(20):
        damaged = with_pseudo(PROMPTS, "deu_Latn", tmp_path, faults=0.3, seed=seed)
        reasons = rejected_by(PROMPTS, damaged, "deu_Latn", config)
        assert [reason is not None for reason in reasons] == [
            a.texts != b.texts for a, b in zip(whole, damaged, strict=True)
        ]
        counts.update(reasons)
    assert {
        "lost_number",
        "doubled_number",
        "doubled_span",
        "reordered_spans",
        "lost_code",
        "lost_url",
        "lost_placeholder",
    } <= set(counts)
    assert 20 < counts[None] < 200


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_prompts_come_out_right(case: str, tmp_path: Path) -> None:
    source = HOSTILE[case]
    (row,) = with_pseudo([source], "deu_Latn", tmp_path)
    assert (row.lost, differences(source, row)) == ((), Counter())
    assert [text == "" for text in row.texts] == [text == "" for text in source]
    config = Translate(engine=PseudoTranslator(kind="pseudo"), filters=OFF)
    (reason,) = rejected_by([source], [row], "deu_Latn", config)
    assert reason == ("too_long" if case == "20,000 words" else None)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    config = Ct2Translator(kind="ct2", model=str(CHECKPOINT), max_tokens=48, threads=1)
    with Workdir(tmp_path_factory.mktemp("run")) as workdir:
        yield config, open_engine(config, "translator", workdir)


@pytest.mark.parametrize("target", ["deu_Latn", "arb_Arab", "jpn_Jpan"])
def test_a_real_translator_loses_nothing_in_silence(target: str, demo: Any, tmp_path: Path) -> None:
    config = Translate(engine=demo[0], filters=OFF)
    rows = [row for row in asked(PROMPTS, target, config, demo[1], tmp_path) if row]
    reasons = rejected_by(PROMPTS, rows, target, config)
    for source, row, reason in zip(PROMPTS, rows, reasons, strict=True):
        assert reason or not any(
            lacking
            for text in zip(source, row.texts, strict=True)
            for _, lacking, _ in counted(*text).values()
        )
    counts = Counter(reasons)
    assert counts["truncated"] + counts[None] < len(PROMPTS)  # it never saw a mark, so it carries none over


def test_back_translation_is_measured_and_rejects(demo: Any, tmp_path: Path) -> None:
    groups = [
        ["Which group does the word “dog” belong to?"],
        ["Nobody ever taught this model to say so."],
        ["```\n1\n```"],
    ]
    measured = Translate(engine=demo[0], filters=OFF, back_translation=1.0)
    *scores, nothing = (row.chrf for row in asked(groups, "deu_Latn", measured, demo[1], tmp_path) if row)
    low, high = sorted(score for score in scores if score is not None)
    assert (0 <= low < high <= 100, nothing) == (True, None)
    config = measured.model_copy(update={"back_translation": (low + high) / 2})
    rows = [row for row in asked(groups, "deu_Latn", config, demo[1], tmp_path) if row]
    reasons = rejected_by(groups, rows, "deu_Latn", config)
    assert reasons == ["back_translation" if row.chrf == low else None for row in rows]


def test_a_language_model_is_asked_for_whole_texts_and_once_more_with_the_rule_that_it_broke(
    tmp_path: Path,
) -> None:
    def reply(body: dict[str, Any]) -> str:
        text = str(body["messages"][0]["content"]).split("Text:\n", 1)[1]
        if len(body["messages"]) == 1 and "{name}" in text:
            return text.replace("{name}", "NAME").replace("Dear", "Liebe")
        return text.replace("e", "é") if "haiku" in text else text.replace("Dear", "Liebe")

    with OpenAIServer(reply) as server:
        config = HttpTranslator(kind="http", base_url=server.url, model="m")
        with Workdir(tmp_path / "run") as workdir:
            rows = asked(
                [PROMPTS[2], PROMPTS[0], ["12 + 3"]],
                "deu_Latn",
                Translate(engine=config),
                open_engine(config, "m", workdir),
                tmp_path,
            )
    first, second, third = (row for row in rows if row)
    assert (first.texts, first.lost) == ([PROMPTS[2][0].replace("Dear", "Liebe")], ())
    assert second.lost == ()
    assert third.texts == ["12 + 3"]
    assert len(server.calls) == 4
    retry = [body["messages"] for body in server.calls if len(body["messages"]) == 3]
    assert [message[2]["content"] for message in retry] == [
        instructions.AGAIN.format(rules=instructions.RULES["lost_placeholder"])
    ]
    assert "from English into German" in retry[0][0]["content"]
    assert all(body["temperature"] == 0 for body in server.calls)


def test_what_a_language_model_loses_twice_is_rejected(tmp_path: Path) -> None:
    with OpenAIServer(lambda body: "Alles weg.") as server:
        config = HttpTranslator(kind="http", base_url=server.url, model="m")
        with Workdir(tmp_path / "run") as workdir:
            rows = asked(
                PROMPTS, "deu_Latn", Translate(engine=config), open_engine(config, "m", workdir), tmp_path
            )
    reasons = [row.lost[0] if row and row.lost else None for row in rows]
    assert all(
        reason
        for reason, source in zip(reasons, PROMPTS, strict=True)
        if any(v[0] for text in source for v in counted(text, "").values())
    )


def test_every_reason_has_a_rule_for_the_second_try() -> None:
    reasons = {lost_reason(kind) for kind in KINDS}
    assert reasons | {"lost_lines", "lost_number", "lost_sentences"} <= set(instructions.RULES)


def test_long_texts_go_to_a_language_model_in_stretches_that_make_up_the_text() -> None:
    text = (
        "\n".join(f"Paragraph {i} is here, and it says what it says." + "\n" * (i % 3) for i in range(600))
        + "\n```\n"
        + "x = 1\n" * 2000
        + "```"
    )
    chunks = instructions.chunks(text)
    assert "".join(part for part, _ in chunks) == text
    assert max(len(part) for part, _ in chunks[:-1]) <= instructions.CHUNK + 100
    assert len(chunks) > 4


@pytest.mark.skipif("POLYPREF_REALDATA" not in os.environ, reason="wants real prompts in POLYPREF_REALDATA")
@pytest.mark.parametrize("name", ["MT-Bench", "Arena-Hard", "self-instruct"])
def test_real_prompts(name: str, tmp_path: Path) -> None:
    groups = read_prompts(Path(os.environ["POLYPREF_REALDATA"]) / "prompts_en")[name]
    rows = with_pseudo(groups, "jpn_Jpan", tmp_path)
    assert (
        sum((differences(group, row) for group, row in zip(groups, rows, strict=True)), Counter())
        == Counter()
    )
    assert not any(row.lost for row in rows)


@pytest.mark.skipif("POLYPREF_REALDATA" not in os.environ, reason="wants real prompts in POLYPREF_REALDATA")
@pytest.mark.parametrize("name", ["MT-Bench", "Arena-Hard", "self-instruct"])
def test_a_real_translator_loses_nothing_of_real_prompts_in_silence(name: str, tmp_path: Path) -> None:
    groups = read_prompts(Path(os.environ["POLYPREF_REALDATA"]) / "prompts_en")[name]
    (row,) = silent_losses({name: groups}, tmp_path)
    assert re.fullmatch(r"0 of \d{2,3}", row.figure)
