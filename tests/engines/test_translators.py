"""Translation models: the languages they know, and how their batches are planned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from polypref.engines.base import Answer, Request
from polypref.engines.config import Ct2Translator, PseudoTranslator
from polypref.engines.pool import ask_engine
from polypref.engines.pseudo import PseudoEngine, damage, pseudolocalise
from polypref.engines.seq2seq import TranslationTokenizer, check_languages
from polypref.engines.start import open_engine
from polypref.errors import InputError
from polypref.store.answers import AnswerLog
from polypref.store.workdir import Workdir

CHECKPOINT = Path(__file__).parent.parent.parent / "polypref" / "demo" / "checkpoints" / "translator"
BUDGET = 512


class Words:
    """A tokenizer with a vocabulary and nothing else."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = tokens

    def get_vocab(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}


def translation(text: str, target: str) -> Request:
    return Request([{"role": "user", "content": text}], source="eng_Latn", target=target)


@pytest.mark.parametrize(
    ("tokens", "known", "unknown"),
    [
        (
            ("deu_Latn", "sw", "ar"),
            {"deu_Latn": "deu_Latn"},
            ("swh_Latn", "arb_Latn"),
        ),  # "sw" and "ar" are pieces of words
        (("__de__", "__sw__", "ja"), {"deu_Latn": "__de__", "swh_Latn": "__sw__"}, ("jpn_Jpan",)),
        (("<2de>", "<2sw>", "ja"), {"deu_Latn": "<2de>", "swh_Latn": "<2sw>"}, ("jpn_Jpan",)),
    ],
)
def test_a_model_knows_a_language_by_its_own_kind_of_token(
    tokens: Sequence[str], known: dict[str, str], unknown: Sequence[str]
) -> None:
    marks = TranslationTokenizer(Words(*tokens), "m")
    assert {code: marks.language_token(code) for code in known} == known
    for code in unknown:
        with pytest.raises(InputError, match=f"m: does not know the language '{code}'"):
            marks.language_token(code)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    config = Ct2Translator(
        kind="ct2", model=str(CHECKPOINT), max_tokens=24, threads=1, tokens_per_batch=BUDGET
    )
    with Workdir(tmp_path_factory.mktemp("run")) as workdir:
        yield open_engine(config, "translator", workdir)


def test_what_a_batch_holds_is_bounded_by_its_tokens_not_by_the_input(demo: Any) -> None:
    words = ["the", "cat", "and", "the", "dog", "and", "the", "horse"]
    requests = [
        translation(" ".join(words[: 1 + i % 7] * (1 + i % 11)), t)
        for i in range(1000)
        for t in ("deu_Latn", "jpn_Jpan")
    ]
    lengths = [len(ids) for ids in demo.tokenizer.encode(requests)]
    plan = demo.plan(requests)
    assert sorted(position for batch in plan for position in batch) == list(range(2000))
    held = [
        len(batch) * (max(lengths[i] for i in batch) + min(24, max(lengths[i] for i in batch) + 8))
        for batch in plan
    ]
    assert max(held) <= BUDGET
    assert sum(held) < 1.15 * sum(
        length + min(24, length + 8) for length in lengths
    )  # little of a batch is padding
    assert len({tuple({requests[i].target for i in batch}) for batch in plan}) > 1  # languages share batches


def test_a_sentence_is_translated_once_into_each_language(demo: Any, tmp_path: Path) -> None:
    asked = [translation("Name a dog.", t) for t in ("deu_Latn", "jpn_Jpan", "deu_Latn")]
    batches: list[int] = []
    compute = demo.answer

    def counting(batch: Sequence[Request], seed: int) -> list[Answer]:
        batches.append(len(batch))
        return list(compute(batch, seed))

    demo.answer = counting
    first, second, third = ask_engine(demo, asked, AnswerLog(tmp_path / "log.jsonl"))
    assert (first, batches) == (third, [2])
    assert first != second


def test_models_without_a_list_of_languages_are_taken_at_their_word() -> None:
    check_languages(PseudoEngine(PseudoTranslator(kind="pseudo"), "p"), ["tlh_Latn"])


def test_pseudo_localisation_and_its_faults() -> None:
    assert pseudolocalise("Open {0} now, Привет 5") == "⟦~~~~~~~ Öþéñ {0} ñöŵ, Привет\u0301 5⟧"
    assert pseudolocalise("12 + 3") == "12 + 3"
    made = {damage("Put {0} by {1}.", draw) for draw in range(60)}
    assert made == {
        "Put  by {1}.",
        "Put {0} by .",
        "Put {0} {0} by {1}.",
        "Put {0} by {1} {1}.",
        "Put {1} by {0}.",
    }
    assert {damage("Take 5.", draw) for draw in range(20)} == {"Take .", "Take 5 5."}
    assert damage("Nothing here.", 3) == "Nothing here."
