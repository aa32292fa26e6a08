"""Every reason to drop a row, in both directions: what must pass and what must fail."""

from pathlib import Path

import pytest
import yaml

from polypref.builders.filters.apply import Filters
from polypref.builders.filters.text import is_text
from polypref.languages.codes import LANGUAGES, PAPER_23
from polypref.store.workers import MIN_ROWS
from tests.builders.filters.rows import filter_rows, filter_text

CLEAN = yaml.safe_load((Path(__file__).parent / "clean_answers.yaml").read_text(encoding="utf-8"))
SENTENCES = {
    "arb_Arab": "باريس هي عاصمة فرنسا وأكبر مدنها من حيث عدد السكان.",
    "ces_Latn": "Hlavním městem Francie je Paříž a žije v ní přes dva miliony lidí.",
    "deu_Latn": "Die Hauptstadt von Frankreich ist Paris, eine Stadt an der Seine.",
    "ell_Grek": "Η πρωτεύουσα της Γαλλίας είναι το Παρίσι.",
    "eng_Latn": "The capital of France is Paris, a city on the river Seine.",
    "fra_Latn": "La capitale de la France est Paris, une ville traversée par la Seine.",
    "heb_Hebr": "בירת צרפת היא פריז.",
    "hin_Deva": "फ्रांस की राजधानी पेरिस है और यह सीन नदी के किनारे बसा है।",
    "ind_Latn": "Ibu kota Prancis adalah Paris, sebuah kota yang terletak di tepi sungai Seine.",
    "ita_Latn": "La capitale della Francia è Parigi, una città attraversata dalla Senna.",
    "jpn_Jpan": "フランスの首都はパリです。",
    "kor_Hang": "프랑스의 수도는 파리입니다.",
    "nld_Latn": "De hoofdstad van Frankrijk is Parijs, een stad die aan de Seine ligt.",
    "pes_Arab": "پایتخت فرانسه شهر پاریس است که در کنار رود سن قرار دارد.",
    "pol_Latn": "Stolicą Francji jest Paryż, miasto położone nad Sekwaną.",
    "por_Latn": "A capital da França é Paris, uma cidade que não dorme e fica junto ao rio Sena.",
    "ron_Latn": "Capitala Franței este Paris, un oraș așezat pe malurile Senei.",
    "rus_Cyrl": "Столица Франции — Париж, город, который стоит на реке Сене.",
    "spa_Latn": "La capital de Francia es París, una ciudad situada a orillas del río Sena.",
    "tur_Latn": "Fransa'nın başkenti Paris'tir ve şehir Seine nehrinin kıyısındadır.",
    "ukr_Cyrl": "Столиця Франції — Париж, місто, яке розташоване на річці Сені.",
    "vie_Latn": "Thủ đô của nước Pháp là Paris, thành phố nằm bên bờ sông Seine.",
    "zho_Hans": "法国的首都是巴黎，这座城市位于塞纳河畔。",
    "zho_Hant": "法國的首都是巴黎，這座城市位於塞納河畔。",
}


def reason(
    text: str,
    language: str = "eng_Latn",
    source: str | None = None,
    finish: str = "stop",
    filters: Filters | None = None,
) -> str | None:
    return filter_text(text, language, filters or Filters(), source=source, finish_reason=finish)[1]


@pytest.mark.parametrize("code", SENTENCES)
def test_a_clean_sentence_passes_every_filter_in_its_language(code: str) -> None:
    assert reason(SENTENCES[code], code, source=None if code == "eng_Latn" else SENTENCES["eng_Latn"]) is None


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_of_another_language_is_rejected(code: str) -> None:
    neighbours = {
        "zho_Hans": "zho_Hant",
        "zho_Hant": "zho_Hans",
        "arb_Arab": "pes_Arab",
        "pes_Arab": "arb_Arab",
        "rus_Cyrl": "ukr_Cyrl",
    }
    neighbours |= {
        "ukr_Cyrl": "rus_Cyrl",
        "jpn_Jpan": "zho_Hans",
        "kor_Hang": "zho_Hant",
        "spa_Latn": "ita_Latn",
        "eng_Latn": "deu_Latn",
    }
    assert reason(SENTENCES[neighbours.get(code, "eng_Latn")], code) == "wrong_language"


@pytest.mark.parametrize(
    "text", ["Paris", "42", "OK 👍", "C'est bon", "😀😀😀", "`print(1)`", "https://example.org/a?b=c"]
)
def test_a_text_too_short_to_tell_passes(text: str) -> None:
    assert reason(text, "tur_Latn") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty"),
        ("   \n\t", "empty"),
        ("\u200f\u200e\ufeff", "empty"),
        ("…", "empty"),
        ("。", "empty"),
        ("no " * 40, "loop"),
        ("I do not know what to say. " * 8, "loop"),
        ("A" + "ha" * 300, "loop"),
        ("It rains on the hills and on the hills and on the hills and on the hills, I think.", "loop"),
        (
            "The sea is blue, and the hills are green. " + "The more you read of it the more you know. " * 4,
            "repetition",
        ),
        ("ha ha ha", None),
        ("How often is the word written here? “drum” “drum” “drum” “drum” “drum”", None),
        ("Very, very, very well!", None),
        (
            "Happy birthday to you,\nHappy birthday to you,\n"
            "Happy birthday, dear Ada,\nHappy birthday to you!",
            None,
        ),
        ("1. One apple\n2. Two pears\n3. Three plums\n4. Four figs\n5. Five dates", None),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n" + "-" * 60, None),
        ("for i in range(3):\n    print(i)\nfor j in range(4):\n    print(j)\nprint(i + j)", None),
        ("2 + 2 = 4, 2 + 3 = 5, 2 + 4 = 6, 2 + 5 = 7, 2 + 6 = 8, 2 + 7 = 9, 2 + 8 = 10, 2 + 9 = 11", None),
        ("\n".join(f"{n}. She said that she would come on day {n}." for n in range(2, 5)), None),
        ("The same long line of a log file.\n" * 5 + "The end of it.", "repeated_lines"),
    ],
)
def test_empty_and_repetitive_texts(text: str, expected: str | None) -> None:
    assert reason(text, filters=Filters(wrong_language=None)) == expected


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_that_gets_stuck_is_a_loop_in_every_script(code: str) -> None:
    sentence = SENTENCES[code].rstrip(".。।")
    stuck = (
        sentence[-7:] * 8 if not LANGUAGES[code].word_spaces else " " + " ".join(sentence.split()[-3:] * 8)
    )
    measures, why = filter_text(sentence + stuck, code, Filters())
    assert why == "loop"
    assert measures["loop"] > 0.6
    twice = f"{SENTENCES[code]}\n{SENTENCES[code]}"  # a refrain, no loop
    assert filter_text(twice, code, Filters(repetition=None))[1] is None


@pytest.mark.parametrize("code", sorted(CLEAN))
def test_ten_clean_answers_pass_every_filter_in_every_language(code: str) -> None:
    assert len(CLEAN[code]) >= 10
    rows = [{"text": text, "language": code, "prompt": "?"} for text in CLEAN[code]]
    if code != "eng_Latn":
        for text, english in zip(CLEAN[code], CLEAN["eng_Latn"], strict=True):
            rows.append({"text": text, "language": code, "source": english})
    filtered = filter_rows(rows, Filters()).select("text", "rejected_by").iter_rows()
    assert {text: why for text, why in filtered if why} == {}


def test_the_clean_answers_are_of_the_23_languages() -> None:
    assert set(CLEAN) == set(PAPER_23)


def test_limits_of_length_and_generation() -> None:
    assert reason("x" * 20_001) == "too_long"
    assert reason("The capital of France is", finish="length") == "truncated"
    assert reason("The capital of France is", finish="length", filters=Filters(truncated=False)) is None


def test_a_copied_source_is_rejected_and_a_name_is_not() -> None:
    source = "The capital of France is Paris."
    assert reason("the capital of france is  Paris", "deu_Latn", source) == "copied_source"
    assert reason("Die Hauptstadt von Frankreich ist Paris.", "deu_Latn", source) is None
    assert reason("Moby Dick", "jpn_Jpan", "Moby Dick") is None
    assert reason("Jean-Paul Sartre", "deu_Latn", "Jean-Paul Sartre") is None


def test_every_measure_is_kept_up_to_the_first_rejection() -> None:
    measures, why = filter_text("no " * 40, "eng_Latn", Filters(wrong_language=None))
    assert why == "loop"
    names = ["empty", "too_long", "truncated", "chat_template", "refusal", "self_identification", "loop"]
    assert list(measures) == names
    assert measures["loop"] == pytest.approx(119 / 120)  # the last space is not of the loop


def test_rows_are_judged_alike_in_one_process_and_in_two() -> None:
    rows = []
    for code in CLEAN:
        rows += [{"text": text, "language": code} for text in [*CLEAN[code], "no " * 40]]
    rows *= 12
    assert len(rows) > MIN_ROWS
    assert filter_rows(rows, Filters(processes=1)).equals(filter_rows(rows, Filters(processes=2)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", True), ("", True), (None, False), (3, False), ("\0", False), ("a\udc80", False), ("😀", True)],
)
def test_is_text(value: object, expected: bool) -> None:
    assert is_text(value) is expected
