"""What a translation lost has a name; what languages may change is no loss. Both ways, in several scripts."""

import pytest

from polypref.builders.filters.translation import sentences_lost
from polypref.builders.text.checks import find_faults

SOURCE = """# Task
Read `a.py` at https://a.org/x?y=1 and mail bob@b.org about {name}.

1. It costs 1,000.50 dollars for 5 km.
- Solve $x^2$ with <b>care</b>.

```python
print("Hello")
```"""
GERMAN = """# Aufgabe
Lies `a.py` auf https://a.org/x?y=1 und schreib bob@b.org wegen {name}.

1. Es kostet 1.000,50 Dollar für 5 km.
- Löse $x^2$ mit <b>Sorgfalt</b>.

```python
print("Hello")
```"""


@pytest.mark.parametrize(
    "translation",
    [
        GERMAN,
        SOURCE,
        GERMAN.replace("1.000,50", "1000,50"),
        GERMAN.replace("1.000,50", "١٬٠٠٠٫٥٠"),
        GERMAN.replace("Lies `a.py` auf https://a.org/x?y=1 und", "请阅读`a.py`：https://a.org/x?y=1，然后"),
    ],
)
def test_a_whole_translation_lost_nothing(translation: str) -> None:
    assert find_faults(SOURCE, translation) == []


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        ("`a.py`", "a.py", ["lost_code"]),
        ("https://a.org/x?y=1", "https://a.org/x", ["lost_url", "lost_number"]),
        ("bob@b.org", "bob", ["lost_email"]),
        ("{name}", "{Name}", ["lost_placeholder"]),
        ("{name}", "{name} {name}", ["doubled_span"]),
        ("$x^2$", "x", ["lost_latex", "lost_number"]),
        ("<b>", "", ["lost_tag"]),
        ("5 km", "5 Kilometer", ["lost_quantity"]),
        ("5 km", "5 km und 5", ["doubled_number"]),
        ("5 km", "5 km und 77", ["added_number"]),
        ("1.000,50", "1.000", ["lost_number"]),
        ('print("Hello")', 'print("Hallo")', ["lost_code"]),
        ("```python\n", "", ["lost_lines", "lost_code"]),
        ("\n\n1.", "\n1.", ["lost_lines"]),
        ("- Löse", "Löse", ["lost_lines"]),
        ("# Aufgabe", "## Aufgabe", ["lost_lines"]),
        ("`a.py` auf https://a.org/x?y=1", "https://a.org/x?y=1 mit `a.py`", ["reordered_spans"]),
    ],
)
def test_each_loss_has_its_name(old: str, new: str, reasons: list[str]) -> None:
    assert old in GERMAN
    assert find_faults(SOURCE, GERMAN.replace(old, new, 1)) == reasons


def test_a_number_in_letters_may_come_out_in_digits() -> None:
    assert find_faults("In January, two of them came.", "1月に2人が来た。") == []
    assert find_faults("In January, some of them came.", "1月に2人と3人が来た。") == ["added_number"]


def test_a_span_within_another_word_is_not_the_span() -> None:
    assert find_faults("Use -v or my_var here.", "Nimm -v oder my_var hier, nicht-vor my_variable.") == []
    assert find_faults("Use -v here.", "Nimm es hier, nicht-vor.") == ["lost_code"]


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
    assert sentences_lost(
        "One is here. Two as well. Three is not. Four is. All!", text, code
    ) == pytest.approx(share)
