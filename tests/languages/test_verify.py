"""Verification of a text's language: scripts, Hans against Hant, lines, and texts too short to tell."""

import pytest

from polypref.languages.verify import language_share, verify


@pytest.mark.parametrize(
    ("text", "code", "outcome"),
    [
        ("這座城市位於塞納河畔。", "zho_Hant", "yes"),
        ("這座城市位於塞納河畔。", "zho_Hans", "no"),
        ("这座城市位于塞纳河畔。", "zho_Hans", "yes"),
        ("这座城市位于塞纳河畔。", "zho_Hant", "no"),
        ("上海中文", "zho_Hant", "unsure"),  # every character is in both sets
        ("この街はとても美しいです。", "zho_Hans", "no"),
        ("金", "jpn_Jpan", "unsure"),
        ("이 도시는 아름답습니다.", "jpn_Jpan", "no"),
        ("Αυτή η πόλη είναι όμορφη.", "ell_Grek", "yes"),
        (
            "```python\nprint('only English words in this code block')\n```\n"
            "Das ist ein kurzes Programm, das etwas ausgibt.",
            "deu_Latn",
            "yes",
        ),
        ("https://example.org/this/is/english/text", "ell_Grek", "unsure"),
        ("12345 + 67890 = ?", "hin_Deva", "unsure"),
        ("", "eng_Latn", "unsure"),
    ],
)
def test_verify(text: str, code: str, outcome: str) -> None:
    assert verify(text, code).outcome == outcome


def test_share_of_lines() -> None:
    german = "Das Wetter ist heute sehr schön und warm."
    english = "The weather is very nice and warm today."
    assert language_share(f"{german}\n\n{english}\n{german}\n{german}", "deu_Latn") == 0.75
    assert language_share(english, "deu_Latn") == 0.0
    assert language_share("1.\n2.\n", "deu_Latn") == 0.0
