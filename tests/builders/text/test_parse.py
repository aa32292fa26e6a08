"""Texts are taken apart and put together without loss, and joined as the language joins them."""

import pytest

from polypref.builders.text.parse import parse, sentences
from polypref.builders.text.rebuild import rebuild, restore
from polypref.builders.text.sentences import LONGEST, HiddenSpan, Sentence

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
@pytest.mark.parametrize("pivot", ["eng_Latn", "deu_Latn"])
def test_an_identity_translation_gives_the_text_back(text: str, pivot: str) -> None:
    pieces = parse(text, pivot)
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


@pytest.mark.parametrize(
    "line",
    [
        "for example:",
        "If you have any questions:",
        "python basics course",
        "apples and pears;",
        "x is the number of red apples",
        "Return the list sorted by name:",
        "while you wait, read this (please)",
        "Note (important): read the class notes.",
    ],
)
def test_prose_is_not_taken_for_code(line: str) -> None:
    assert len(sentences(parse(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "import numpy as np",
        "def f(x): return x",
        "#include <stdio.h>",
        "x = foo(bar)[0]",
        "SELECT name FROM users",
        "} else {",
        '  "key": "a value",',
        "$ pip install x",
        "color: red;",
        "return a + b;",
    ],
)
def test_bare_code_passes(line: str) -> None:
    assert parse(line) == [line]


@pytest.mark.parametrize(
    ("code", "translations", "joined"),
    [
        ("deu_Latn", ["Eins.", "Zwei.", "Drei."], "Eins. Zwei.\n- Drei."),
        ("arb_Arab", ["واحد.", "اثنان؟", "ثلاثة."], "واحد. اثنان؟\n- ثلاثة."),
        ("zho_Hans", ["一。", "二。", "三。"], "一。二。\n- 三。"),
        ("jpn_Jpan", ["一です。", "二です。", "三です。"], "一です。二です。\n- 三です。"),
        (
            "jpn_Jpan",
            ["URLはhttps://a.org", "二です。", "三です。"],
            "URLはhttps://a.org 二です。\n- 三です。",
        ),
        ("tha_Thai", ["หนึ่ง", "สอง", "สาม"], "หนึ่ง สอง\n- สาม"),
        ("hin_Deva", ["एक।", "दो।", "तीन।"], "एक। दो।\n- तीन।"),
        ("bod_Tibt", ["གཅིག།", "གཉིས།", "གསུམ།"], "གཅིག། གཉིས།\n- གསུམ།"),
        ("yue_Hant", ["一。", "二。", "三。"], "一。二。\n- 三。"),
    ],
)
def test_the_joiner_is_the_languages_own(code: str, translations: list[str], joined: str) -> None:
    assert rebuild(parse("One. Two.\n- Three."), translations, code) == joined


def test_marks_come_back_in_any_script_and_losses_have_names() -> None:
    sentence = Sentence("Put {0} into {1}.", (HiddenSpan("code", "`a`"), HiddenSpan("url", "http://b.org")))
    assert restore(sentence, "ضع {٠} في {١}.") == ("ضع `a` في http://b.org.", [])
    assert restore(sentence, "｛0｝を｛ 1 ｝に入れて。") == ("`a`をhttp://b.orgに入れて。", [])
    assert restore(sentence, "Put {0}.")[1] == ["lost_url"]
    assert restore(sentence, "Put {0} {0} {1}.")[1] == ["doubled_span"]
    assert restore(sentence, "Put {1} into {0}.")[1] == ["reordered_spans"]
    assert restore(sentence, "Put {0} into {1} {7}.")[1] == ["unrestored"]
    assert restore(Sentence("Put it."), "Leg {0} es.")[1] == ["unrestored"]


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


def test_a_wrapped_paragraph_is_broken_at_its_shares_without_cutting_a_word() -> None:
    text = "The committee met on the first day of the month, as it had said it\nwould, and voted at once."
    (sentence,) = sentences(parse(text))
    assert sentence.text == text.replace("\n", " ")
    german = (
        "Der Ausschuss tagte am ersten Tag des Monats, wie er es angekündigt hatte, und stimmte sofort ab."
    )
    assert restore(sentence, german)[0].replace("\n", " ") == german
    assert restore(sentence, german)[0].count("\n") == 1
    assert restore(sentence, "委员会如其所说在当月第一天开会并立即表决。")[0].count("\n") == 1


def test_20000_words_are_parsed_into_their_sentences() -> None:
    text = "\n".join(
        f"This is sentence number {i} of a very long prompt. It has two of them." for i in range(1400)
    )
    assert len(text.split()) > 20_000
    assert len(sentences(parse(text))) == 2800
