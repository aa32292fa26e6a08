"""Lost, kept and invented parts of translations, in scripts with digits and stops of their own."""

import pytest

from polypref.builders.filters.apply import Filters
from polypref.builders.filters.translation import lost_sentence_share
from tests.builders.filters.rows import filter_rows, filter_text

RULES = dict.fromkeys(
    (
        "wrong_language",
        "copied_source",
        "half_translated",
        "length_ratio",
        "oscillation",
        "repetition",
        "loop",
    )
)


def reason(text: str, code: str, source: str, **thresholds: object) -> str | None:
    return filter_text(text, code, Filters.model_validate(thresholds), source=source)[1]


def alone(name: str, text: str, code: str, source: str) -> str | None:
    """The reason where only this one of the filters that compare a text with its source is asked."""
    return reason(text, code, source, **{rule: limit for rule, limit in RULES.items() if rule != name})


@pytest.mark.parametrize(
    ("code", "kept", "lost"),
    [
        ("deu_Latn", "1.250 Schritte, 48 Tage, 1987 und 3600 Sekunden.", "Schritte, Tage und Sekunden."),
        ("arb_Arab", "١٬٢٥٠ خطوة و٤٨ يوما وعام ١٩٨٧ و٣٦٠٠ ثانية.", "خطوات وأيام وثوان."),
        ("pes_Arab", "۱٬۲۵۰ قدم، ۴۸ روز، سال ۱۹۸۷ و ۳۶۰۰ ثانیه.", "قدم‌ها، روزها و ثانیه‌ها."),
        ("hin_Deva", "१,२५० कदम, ४८ दिन, वर्ष १९८७ और ३६०० सेकंड।", "कदम, दिन और सेकंड।"),
        ("jpn_Jpan", "1250歩、48日、1987年、3600秒。", "歩、日、年、秒。"),
    ],
)
def test_lost_numbers_in_the_digits_of_every_script(code: str, kept: str, lost: str) -> None:
    source = "1,250 steps, 48 days, 1987 and 3600 seconds."
    assert alone("lost_numbers", kept, code, source) is None
    assert alone("lost_numbers", lost, code, source) == "lost_numbers"
    assert (
        alone("lost_numbers", lost + " 11 22 33 44", code, "Steps, days and seconds.") == "lost_numbers"
    )  # invented


@pytest.mark.parametrize(
    ("code", "kept", "lost"),
    [
        ("fra_Latn", "Ouvrez https://example.org/a et écrivez {name}.", "Ouvrez la page et écrivez le nom."),
        ("zho_Hans", "打开 https://example.org/a 并写入{name}。", "打开网页并写下名字。"),
        ("arb_Arab", "افتح https://example.org/a واكتب {name}.", "افتح الصفحة واكتب الاسم."),
    ],
)
def test_lost_addresses_and_placeholders(code: str, kept: str, lost: str) -> None:
    source = "Open https://example.org/a and write {name}."
    assert alone("lost_marks", kept, code, source) is None
    assert alone("lost_marks", lost, code, source) == "lost_marks"


@pytest.mark.parametrize(
    ("code", "sentences"),
    [
        ("deu_Latn", ["Es regnet.", "Er schläft.", "Sie liest.", "Wir warten.", "Sie gehen.", "Ich koche."]),
        (
            "jpn_Jpan",
            ["雨が降る。", "彼は眠る。", "彼女は読む。", "私たちは待つ。", "彼らは行く。", "私は料理する。"],
        ),
        ("hin_Deva", ["बारिश होती है।", "वह सोता है।", "वह पढ़ती है।", "हम रुकते हैं।", "वे जाते हैं।", "मैं पकाता हूँ।"]),
        ("arb_Arab", ["إنها تمطر.", "هو نائم.", "هي تقرأ.", "نحن ننتظر.", "هم يذهبون.", "أنا أطبخ."]),
    ],
)
def test_lost_sentences_by_the_stops_of_every_script(code: str, sentences: list[str]) -> None:
    source = "It rains. He sleeps. She reads. We wait. They go. I cook."
    joiner = "" if code == "jpn_Jpan" else " "
    assert alone("lost_sentences", joiner.join(sentences), code, source) is None
    assert alone("lost_sentences", joiner.join(sentences[:2]), code, source) == "lost_sentences"


@pytest.mark.parametrize(
    ("code", "text", "share"),
    [
        ("deu_Latn", "Eins ist da. Zwei auch. Drei nicht. Vier schon. Alle!", 0.0),
        ("arb_Arab", "واحد هنا. اثنان أيضا؟ ثلاثة لا. أربعة نعم. كلهم!", 0.0),
        ("zho_Hans", "一在这里。二也在！三不在。四在。全在？", 0.0),
        ("jpn_Jpan", "一はここ。二も。三はない。四はある。全部！", 0.0),
        ("hin_Deva", "एक यहाँ है। दो भी। तीन नहीं। चार हाँ। सब!", 0.0),
        ("urd_Arab", "ایک یہاں ہے۔ دو بھی۔ تین نہیں۔ چار ہاں۔ سب!", 0.0),
        ("amh_Ethi", "አንድ እዚህ አለ። ሁለትም። ሦስት የለም። አራት አዎ። ሁሉም።", 0.0),
        ("tha_Thai", "หนึ่งอยู่ที่นี่ สองก็ด้วย สามไม่อยู่ สี่อยู่ ทั้งหมด", 0.0),
        ("zho_Hans", "一在这里。", 0.8),
        ("deu_Latn", "Eins ist da.", 0.8),
    ],
)
def test_sentences_are_counted_by_each_scripts_full_stops(code: str, text: str, share: float) -> None:
    assert lost_sentence_share(
        "One is here. Two as well. Three is not. Four is. All!", text, code
    ) == pytest.approx(share)


def test_lost_lines() -> None:
    source = "Milk\nBread\nButter\nJam"
    assert alone("lost_sentences", "Milch\nBrot\nButter\nMarmelade", "deu_Latn", source) is None
    assert alone("lost_sentences", "Milch, Brot", "deu_Latn", source) == "lost_sentences"


def test_half_translated() -> None:
    source = "The river is long and wide. Many boats go up and down on it every day."
    half = "Der Fluss ist lang und breit. Many boats go up and down on it every day."
    assert reason(half, "deu_Latn", source) == "half_translated"
    assert (
        reason(
            "Der Fluss ist lang und breit. Jeden Tag fahren viele Boote auf ihm auf und ab.",
            "deu_Latn",
            source,
        )
        is None
    )


@pytest.mark.parametrize(
    ("code", "stuck", "fine"),
    [
        (
            "deu_Latn",
            "Das Haus am See, das Haus am See, das Haus am See ist alt.",
            "Das Haus am See ist alt und schön.",
        ),
        ("rus_Cyrl", "Дом у озера, дом у озера, дом у озера старый.", "Дом у озера старый и красивый."),
        (
            "zho_Hans",
            "湖边的那座老房子很美，湖边的那座老房子很美，湖边的那座老房子很美。",
            "湖边的那座老房子很美。",
        ),
    ],
)
def test_oscillation_is_what_the_source_does_not_say_twice(code: str, stuck: str, fine: str) -> None:
    assert alone("oscillation", stuck, code, "The old house by the lake is beautiful.") == "oscillation"
    assert alone("oscillation", fine, code, "The old house by the lake is beautiful.") is None
    thrice = "The house by the lake, the house by the lake, the house by the lake is old."
    assert alone("oscillation", stuck, code, thrice) is None


def test_the_usual_length_is_published_for_few_rows_and_learned_from_many() -> None:
    source, same = "The house by the lake is old and beautiful.", "湖边的房子又旧又美。"
    assert alone("length_ratio", same, "zho_Hans", source) is None
    assert alone("length_ratio", same * 8, "zho_Hans", source) == "length_ratio"
    assert alone("length_ratio", "古", "zho_Hans", source * 8) == "length_ratio"
    filters = Filters.model_validate(
        {**dict.fromkeys(RULES), "length_ratio": 3.0, "repeated_lines": None, "lost_sentences": None}
    )
    long, short = ({"text": text, "language": "zho_Hans", "source": source} for text in (same * 8, same))
    reasons = filter_rows([long] * 300 + [short], filters)["rejected_by"].to_list()
    assert reasons[:300] == [None] * 300  # in this batch eight times the text is usual
    assert reasons[300] == "length_ratio"
