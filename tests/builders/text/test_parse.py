"""Texts are taken apart into sentences and what passes around them, and put together without loss."""

import pytest

from polypref.builders.text.parse import parse, sentences
from polypref.builders.text.rebuild import rebuild, restore
from polypref.builders.text.sentences import LONGEST

TEXTS = [
    "",
    "\n",
    "One sentence.",
    "Two. Sentences here!",
    "Two spaces.  And within  a sentence.",
    "  indented line\n\n\ttabbed",
    "# Title\n\n1. First point. It goes on.\n2) Second\n- bullet\n> quoted line\n  * [ ] **Bold:** deeper",
    "Code:\n```python\nprint('Do not translate. Me.')\n```\nAfter it.",
    "- item\n\n  ~~~~\n  ``` inside\n  ~~~~\n- next",
    "```\nnever closed\nSo it is code.",
    "12345\n---\n😀",
    "Mr. Smith met Dr. Brown. They talked.",
    "trailing spaces  \nnext\r\nafter\rold\u2028separators\x0cof pages",
    "| Name | Age |\n|:-----|----:|\n| Ann Lee | 3 |\nName\tAge\nBob Roy   5",
    "Use `a. b` {x}, {{y}} and <b>bold</b> at https://a.org/b?c=1. Then $x^2$.",
    "A stray { or } and ``` here, [link text](http://x.org/(a)).",
    "This line was wrapped by hand because it is much too long, so it\ngoes on here and then\nit ends. Next.",
    "$$\nx = y\n$$\nprose \\begin{align}\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_an_identity_translation_gives_the_text_back(text: str) -> None:
    pieces = parse(text)
    found = [restore(sentence, sentence.text) for sentence in sentences(pieces)]
    assert rebuild(pieces, [text for text, _ in found], "deu_Latn") == text
    assert not any(reasons for _, reasons in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two. Sentences here!", ["Two.", "Sentences here!"]),
        ("Mr. Smith met Dr. Brown. They talked.", ["Mr. Smith met Dr. Brown.", "They talked."]),
        ("Is it 3.5? Yes. “Really?” Yes.", ["Is it 3.5?", "Yes.", "“Really?”", "Yes."]),
        ("How often is it there? “cat” “cat”", ["How often is it there? “cat” “cat”"]),
        ("- first. Second", ["first.", "Second"]),
        ("12345", []),
        ("```\ncode. More code.\n```", []),
        ("Late fence:\n```\na = 1``` \nProse after it.", ["Late fence:", "Prose after it."]),
        ("Open `x. y` and {name}. Bye {name}.", ["Open {0} and {1}.", "Bye {0}."]),
        ("Run `a | b` or `c | d` now.", ["Run {0} or {1} now."]),
        ("<p>One word.</p>", ["One word."]),
        ("User: Hello there.\nAssistant: Hi!", ["Hello there.", "Hi!"]),
        ("**Note:** Read this.\n**All bold.**", ["**Note:** Read this.", "All bold."]),
        ("| Name | Age of it |\n|---|---|", ["Name", "Age of it"]),
        (
            "Fix it:\nimport os\nfor x in y:\n    # say it\n    print(x)\nThanks a lot",
            ["Fix it:", "Thanks a lot"],
        ),
        ("What does 你好 mean?", ["What does {0} mean?"]),
        ("Translate “good day” into German.", ["Translate “{0}” into German."]),
        ("It was a long line that somebody wrapped at sixty characters or\nso, with a word below.", None),
    ],
)
def test_sentences(text: str, expected: list[str] | None) -> None:
    found = [sentence.text for sentence in sentences(parse(text))]
    assert found == (expected if expected is not None else [text.replace("\n", " ")])


def test_a_sentence_of_3000_characters_is_split_and_nothing_of_it_is_cut() -> None:
    for text in (
        ", ".join(f"thing number {i} which {{x{i}}} goes on" for i in range(80)) + ".",
        "word " * 600,
        "a" * 59 + " " + "字" * 3000,
        "ab-" * 1000,
    ):
        pieces = parse(text)
        found = sentences(pieces)
        assert max((len(sentence.text) for sentence in found), default=0) <= LONGEST
        assert (
            rebuild(pieces, [restore(sentence, sentence.text)[0] for sentence in found], "deu_Latn") == text
        )


def test_20000_words_are_parsed_into_their_sentences() -> None:
    text = "\n".join(
        f"This is sentence number {i} of a very long prompt. It has two of them." for i in range(1400)
    )
    assert len(text.split()) > 20_000
    assert len(sentences(parse(text))) == 2800
