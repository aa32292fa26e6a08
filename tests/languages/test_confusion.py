"""Line and word pass rates, by cases counted by hand."""

import pytest

from polypref.languages.confusion import (
    Confusion,
    find_confusion,
    judged_lines,
    line_pass_rate,
    word_pass_rate,
)

GERMAN = "Am Abend sitzen wir gern zusammen im Garten und erzählen Geschichten."
ENGLISH = "In the evening we like to sit in the garden and tell each other stories."
RUSSIAN = "Вечером мы любим сидеть вместе в саду и рассказывать истории."
CHINESE = "晚上我们喜欢一起坐在花园里讲故事。"
JAPANESE = "夕方になると、私たちは庭に座って話をするのが好きです。"
TIBETAN = "འགྲོ་བ་མིའི་རིགས་རྒྱུད་ཡོངས་ལ་སྐྱེས་ཙམ་ཉིད་ནས་ཆེ་མཐོངས་དང༌།"  # one word by its spaces
WORDS = frozenset({"garden", "stories", "the", "like", "evening"})


@pytest.mark.parametrize(
    ("completion", "code", "lines"),
    [
        ("one two three four\none two three four five", "eng_Latn", ["one two three four five"]),
        ("a - b - c", "eng_Latn", []),  # three words without the punctuation
        (f"  {GERMAN}\nQ: {ENGLISH}\n{ENGLISH}", "deu_Latn", [GERMAN.removesuffix(".")]),
        (
            f"Q: {GERMAN}",
            "deu_Latn",
            [f"Q {GERMAN.removesuffix('.')}"],
        ),  # cut at a line's beginning only, and not the first's
        ("我们喜欢花园里的", "zho_Hans", []),  # eight characters, four words
        ("我们喜欢花园里的花", "zho_Hans", ["我们喜欢花园里的花"]),
        ("我、你、他、她、它", "zho_Hans", ["我、你、他、她、它"]),
        ("庭に座って話", "jpn_Jpan", []),
        ("庭に座って話をする", "jpn_Jpan", ["庭に座って話をする"]),
        ("庭 I like gardens a lot", "jpn_Jpan", ["庭 I like gardens a lot"]),
        (TIBETAN, "bod_Tibt", [TIBETAN]),
        (TIBETAN, "dzo_Tibt", [TIBETAN]),
        ("བོད།", "bod_Tibt", []),
        ("한 두 세 네", "kor_Hang", []),
        ("한 두 세 네 다섯", "kor_Hang", ["한 두 세 네 다섯"]),
        ("\n \n", "deu_Latn", []),
        ("", "deu_Latn", []),
    ],
)
def test_the_lines_that_are_judged(completion: str, code: str, lines: list[str]) -> None:
    assert judged_lines(completion, code) == lines


@pytest.mark.parametrize(
    ("completion", "code", "expected"),
    [
        (GERMAN, "deu_Latn", Confusion(True, False, False)),
        (f"{GERMAN}\n{ENGLISH}", "deu_Latn", Confusion(True, True, True)),
        (f"{GERMAN}\nQ: and so on\n{ENGLISH}", "deu_Latn", Confusion(True, False, False)),
        (f"{GERMAN}\nWhat a nice evening!", "deu_Latn", Confusion(True, False, False)),  # four words
        ("Natürlich!", "deu_Latn", Confusion(False, False, False)),
        ("", "rus_Cyrl", Confusion(False, False, False)),
        (RUSSIAN, "rus_Cyrl", Confusion(True, False, False)),
        (RUSSIAN.replace("истории", "Stories"), "rus_Cyrl", Confusion(True, False, True)),
        (RUSSIAN.replace("истории", "the"), "rus_Cyrl", Confusion(True, False, False)),  # three letters
        (RUSSIAN.replace("истории", "storys"), "rus_Cyrl", Confusion(True, False, False)),  # not of the list
        (ENGLISH, "rus_Cyrl", Confusion(True, True, True)),
        (CHINESE, "zho_Hans", Confusion(True, False, False)),
        (CHINESE.replace("花园", "garden"), "zho_Hans", Confusion(True, False, True)),
        (CHINESE, "jpn_Jpan", Confusion(True, True, False)),
        (JAPANESE, "jpn_Jpan", Confusion(True, False, False)),
        (JAPANESE, "zho_Hans", Confusion(True, True, False)),
    ],
)
def test_one_completion(completion: str, code: str, expected: Confusion) -> None:
    assert find_confusion(completion, code, WORDS) == expected


def test_rates() -> None:
    good, english, wrong, short = (
        Confusion(True, False, False),
        Confusion(True, False, True),
        Confusion(True, True, True),
        Confusion(False, False, False),
    )
    assert line_pass_rate([good, english, wrong, short]) == 2 / 3
    assert word_pass_rate([good, english, wrong, short]) == 1 / 2
    assert (line_pass_rate([short]), word_pass_rate([short])) == (None, None)
    assert (line_pass_rate([wrong]), word_pass_rate([wrong])) == (0.0, None)
    assert line_pass_rate(iter([good] * 3 + [wrong])) == 0.75
    completions = [RUSSIAN, RUSSIAN.replace("истории", "stories"), ENGLISH, "Да.", f"{RUSSIAN}\nQ: {ENGLISH}"]
    found = [find_confusion(completion, "rus_Cyrl", WORDS) for completion in completions]
    assert (line_pass_rate(found), word_pass_rate(found)) == (3 / 4, 2 / 3)


def test_without_a_list_no_word_is_english() -> None:
    assert find_confusion(RUSSIAN.replace("истории", "stories"), "rus_Cyrl") == Confusion(True, False, False)
