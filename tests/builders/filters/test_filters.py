"""Every reason to drop a row, in both directions: what must pass and what must fail."""

import pytest

from builders.filters.judge import Filters, judge
from builders.filters.subject import Subject
from builders.filters.text import is_text

SENTENCES = {
    "arb_Arab": "باريس هي عاصمة فرنسا وأكبر مدنها من حيث عدد السكان.",
    "ces_Latn": "Hlavním městem Francie je Paříž a žije v ní přes dva miliony lidí.",
    "deu_Latn": "Die Hauptstadt von Frankreich ist Paris, eine Stadt an der Seine.",
    "ell_Grek": "Η πρωτεύουσα της Γαλλίας είναι το Παρίσι.",
    "eng_Latn": "The capital of France is Paris.",
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
    text: str, language: str = "eng_Latn", source: str | None = None, finish: str = "stop", filters: Filters | None = None
) -> str | None:
    return judge(Subject(text, language, source, finish), filters or Filters())[1]


@pytest.mark.parametrize("code", SENTENCES)
def test_a_clean_sentence_passes_every_filter_in_its_language(code: str) -> None:
    assert reason(SENTENCES[code], code, source=None if code == "eng_Latn" else SENTENCES["eng_Latn"]) is None


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_of_another_language_is_rejected(code: str) -> None:
    neighbours = {"zho_Hans": "zho_Hant", "zho_Hant": "zho_Hans", "arb_Arab": "pes_Arab", "pes_Arab": "arb_Arab", "rus_Cyrl": "ukr_Cyrl"}
    neighbours |= {"ukr_Cyrl": "rus_Cyrl", "jpn_Jpan": "zho_Hans", "kor_Hang": "zho_Hant", "spa_Latn": "ita_Latn", "eng_Latn": "deu_Latn"}
    assert reason(SENTENCES[neighbours.get(code, "eng_Latn")], code) == "wrong_language"


@pytest.mark.parametrize("text", ["Paris", "42", "OK 👍", "C'est bon", "😀😀😀", "`print(1)`", "https://example.org/a?b=c"])
def test_a_text_too_short_to_tell_passes(text: str) -> None:
    assert reason(text, "tur_Latn") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty"),
        ("   \n\t", "empty"),
        ("\u200f\u200e\ufeff", "empty"),
        ("no " * 40, "repetition"),
        ("I do not know what to say. " * 8, "repetition"),
        ("A" + "ha" * 300, None),
        ("ha ha ha", None),
        ("1. One apple\n2. Two pears\n3. Three plums\n4. Four figs\n5. Five dates", None),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n" + "-" * 60, None),
        ("for i in range(3):\n    print(i)\nfor j in range(4):\n    print(j)\nprint(i + j)", None),
    ],
)
def test_empty_and_repetitive_texts(text: str, expected: str | None) -> None:
    assert reason(text, filters=Filters(wrong_language=None)) == expected


@pytest.mark.parametrize(
    ("code", "loop"), [("zho_Hans", "我不知道" * 20), ("jpn_Jpan", "わかりません" * 20), ("hin_Deva", "मुझे नहीं पता " * 20)]
)
def test_loops_in_scripts_with_and_without_spaces(code: str, loop: str) -> None:
    assert reason(loop, code) == "repetition"


def test_limits_of_length_and_generation() -> None:
    assert reason("x" * 20_001) == "too_long"
    assert reason("The capital of France is", finish="length") == "truncated"
    assert reason("The capital of France is", finish="length", filters=Filters(truncated=False)) is None


def test_a_copied_source_is_rejected_and_a_name_is_not() -> None:
    source = "The capital of France is Paris."
    assert reason("the capital of france is  Paris", "deu_Latn", source) == "copied_source"
    assert reason("Die Hauptstadt von Frankreich ist Paris.", "deu_Latn", source) is None
    assert reason("Jean-Paul Sartre", "deu_Latn", "Jean-Paul Sartre") is None
    assert reason(source, "eng_Latn", source) is None


def test_every_measure_is_kept_up_to_the_first_rejection() -> None:
    measures, why = judge(Subject("no " * 40, "eng_Latn"), Filters(wrong_language=None, copied_source=None))
    assert why == "repetition"
    assert [m["name"] for m in measures] == ["empty", "too_long", "truncated", "repetition"]
    assert measures[-1]["value"] == 1.0


@pytest.mark.parametrize(
    ("value", "expected"), [("a", True), ("", True), (None, False), (3, False), ("\0", False), ("a\udc80", False), ("😀", True)]
)
def test_is_text(value: object, expected: bool) -> None:
    assert is_text(value) is expected
