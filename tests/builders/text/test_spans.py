"""Spans of every kind are found within a sentence, and what only looks like one is left to the translator."""

import pytest

from polypref.builders.text.spans import KINDS, find_spans

EXAMPLES: dict[str, list[str]] = {
    "code": ["`a.b`", "``a`b``", "`"],
    "latex": ["$$x = y$$", r"\(x = y\)", r"\[x = y\]", "$x^2$", r"\alpha", r"\frac{a}{b}", r"\sqrt[3]{x}"],
    "tag": ["<b>", "</b>", '<a href="x">', "<!-- a comment -->", "<![CDATA[x]]>", "&nbsp;", "&#160;", "[/b]"],
    "url": ["https://a.org/b?c=1", "www.a.org", "a.org/b", "docs.a.co.uk"],
    "email": ["me@a.org", "@me"],
    "foreign": ["你好，世界", "привет"],
    "path": ["/etc/hosts", "~/a/b", "../a/b", r"C:\Users", "main.py", "src/main.py"],
    "placeholder": ["{{name}}", "${{name}}", "{name}", "${name}", "#{name}", "%(name)s", "%d", "%NAME%"],
    "identifier": [
        "foo()",
        "a.b()",
        "snake_case",
        "a.snake_case.b",
        "MAX_SIZE",
        "-v",
        "--dry-run",
        "--size=3",
    ],
    "quantity": ["5 km", "1,000 mAh", "20 °C", "90°"],
    "formula": ["f(x) = 4x^3 - 9x", "a + b", "2x²"],
}
EXAMPLES["placeholder"] += ["[YOUR NAME]", "[name]", "____", "__name__", "$HOME", "{"]
EXAMPLES["identifier"].append("0123456789abcdef" * 4)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_span_of_each_kind_is_found_whole(kind: str) -> None:
    for example in EXAMPLES[kind]:
        line = f"Take {example} please."
        found = [(span.kind, line[span.start : span.end]) for span in find_spans(line)]
        assert found == [(kind, example)]


@pytest.mark.parametrize(
    "line",
    [
        "It costs $5 or $6 today.",
        "Use it and/or leave it, at 5% off.",
        "In 10-20 days (3) or 1/2 of them.",
        "A well-known word, a-b testing.",
    ],
)
def test_what_only_looks_like_a_span_is_none(line: str) -> None:
    assert list(find_spans(line)) == []


@pytest.mark.parametrize(
    ("line", "span"),
    [
        ("Translate “good day” into German.", "good day"),
        ("What is the meaning of «chat» here?", "chat"),
        ("How do I spell 'colour' in it?", "colour"),
        ('Say the word "drum" twice.', "drum"),
        ("What does 你好，世界 mean?", "你好，世界"),
    ],
)
def test_words_that_the_answer_is_about_are_kept(line: str, span: str) -> None:
    assert [line[start:end] for _, start, end in find_spans(line)] == [span]


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("See https://a.org/b.", "https://a.org/b"),
        ("(See https://a.org/b)", "https://a.org/b"),
        ("See https://a.org/b_(c), too.", "https://a.org/b_(c)"),
        ("**https://a.org/b**", "https://a.org/b"),
    ],
)
def test_punctuation_behind_an_address_is_not_part_of_it(line: str, address: str) -> None:
    assert [line[start:end] for _, start, end in find_spans(line)] == [address]


def test_every_kind_has_an_example() -> None:
    assert EXAMPLES.keys() | {"word"} == KINDS.keys()
