"""One definition of what a column of texts may hold, read and replaced by the same rules everywhere."""

from typing import Any

import pytest

from polypref.builders.tables.texts import map_values, read_prompt, read_texts, replace_texts

CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hello"},
    {"role": "user", "content": "Are you there?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "Bye!"},
]
SHAREGPT = [{"from": "human", "value": "Hello", "n": 1}, {"from": "gpt", "value": "Yes."}]


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("one", ["one"]),
        ("", [""]),
        (["one", "two"], ["one", "two"]),
        ({"role": "user", "content": "one"}, ["one"]),
        (SHAREGPT, ["Hello", "Yes."]),
        (["one", {"role": "assistant", "content": "two"}], ["one", "two"]),
    ],
)
def test_texts_are_read_and_replaced_in_their_shape(value: Any, texts: list[str]) -> None:
    assert read_texts(value) == texts
    assert replace_texts(value, texts) == value
    other = replace_texts(value, [f"{text}!" for text in texts])
    assert read_texts(other) == [f"{text}!" for text in texts]
    assert type(other) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        b"bytes",
        [],
        [None, "one"],
        ["one", 7],
        [["one"]],
        {"content": "no role"},
        [{"role": "user", "content": None}],
        [{"role": None, "content": "one"}],
        "half a surrogate pair \ud800",
        "nul \0",
    ],
)
def test_anything_else_is_not_text_for_any_command(value: Any) -> None:
    assert read_texts(value) is None
    assert read_prompt(value, "all") is None
    assert read_prompt(value, "first") is None


def test_a_prompt_ends_with_the_user_and_joins_turns_in_a_row() -> None:
    prompt = read_prompt(CHAT, "all")
    assert prompt == [CHAT[0], {"role": "user", "content": "Hello\n\nAre you there?"}, CHAT[3], CHAT[4]]
    assert read_prompt(CHAT, "first") == CHAT[:2]
    assert read_prompt(SHAREGPT, "all") == [{"role": "user", "content": "Hello"}]
    assert read_prompt(CHAT[3:4], "all") is None


def test_strings_are_changed_at_any_depth_and_keys_stay() -> None:
    value = {"a": ["b", {"c": "d", "e": 7}], "f": None}
    assert map_values(value, str, str.upper) == {"a": ["B", {"c": "D", "e": 7}], "f": None}
