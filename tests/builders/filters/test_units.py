"""The units that filters count: words, or characters where spaces do not separate words."""

import pytest

from polypref.builders.filters.units import CODE, grams, repeated, spaced, words
from polypref.languages.codes import LANGUAGES


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("Das Haus, das alte.", "deu_Latn", ["das", "haus", "das", "alte"]),
        ("हिन्दी भाषा", "hin_Deva", ["हिन्दी", "भाषा"]),  # vowel signs stay within the word
        ("我们3个人。", "zho_Hans", ["我", "们", "3", "个", "人"]),
        ("བོད་ཡིག", "bod_Tibt", ["བ", "ད", "ཡ", "ག"]),
        ("རྫོང་ཁ", "dzo_Tibt", ["ར", "ང", "ཁ"]),
        ("ein Satz", "xxx_Xxxx", ["ein", "satz"]),  # an unknown language
    ],
)
def test_words_in_the_units_of_the_language(text: str, code: str, expected: list[str]) -> None:
    assert words(text, code) == expected


def test_languages_csv_says_which_languages_are_spaced() -> None:
    assert [code for code in LANGUAGES if not spaced(code)] == [
        code for code, row in LANGUAGES.items() if not row.word_spaces
    ]


def test_runs_and_repeated_runs() -> None:
    units = ["a", "b", "a", "b", "c"]
    assert grams(units, 2) == [("a", "b"), ("b", "a"), ("a", "b"), ("b", "c")]
    assert repeated(units, 2) == 1
    assert grams(units, 6) == []
    assert repeated([], 2) == 0


def test_fences_and_tables_are_code() -> None:
    assert CODE.sub("", "a\n```py\nx\n```\n| 1 | 2 |\nb ```open\ny").split() == ["a", "b"]
