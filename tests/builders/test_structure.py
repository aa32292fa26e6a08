"""Texts are taken apart and put together without loss, and joined as the language joins them."""

import pytest

from builders.structure import parse, prose, rebuilt

TEXTS = [
    "",
    "\n",
    "One sentence.",
    "Two. Sentences here!",
    "  indented line\n\n\ttabbed",
    "# Title\n\n1. First point. It goes on.\n2) Second\n- bullet\n> quoted line",
    "Code:\n```python\nprint('Do not translate. Me.')\n```\nAfter it.",
    "```\nnever closed\nSo it is code.",
    "12345\n---\n😀",
    "Mr. Smith met Dr. Brown. They talked.",
    "trailing spaces  \nnext",
]


@pytest.mark.parametrize("text", TEXTS)
def test_an_identity_translation_gives_the_text_back(text: str) -> None:
    lines = parse(text)
    assert rebuilt(lines, prose(lines), "deu_Latn") == text


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Two. Sentences here!", ["Two.", "Sentences here!"]),
        ("Mr. Smith met Dr. Brown. They talked.", ["Mr. Smith met Dr. Brown.", "They talked."]),
        ("Is it 3.5? Yes. “Really?” Yes.", ["Is it 3.5?", "Yes.", "“Really?”", "Yes."]),
        ("- first. Second", ["first.", "Second"]),
        ("12345", []),
        ("```\ncode. More code.\n```", []),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert prose(parse(text)) == sentences


@pytest.mark.parametrize(
    ("code", "joined"), [("deu_Latn", "X Y\n- Z"), ("zho_Hans", "XY\n- Z"), ("jpn_Jpan", "XY\n- Z"), ("arb_Arab", "X Y\n- Z")]
)
def test_the_joiner_is_the_languages_own(code: str, joined: str) -> None:
    assert rebuilt(parse("One. Two.\n- Three."), ["X", "Y", "Z"], code) == joined
