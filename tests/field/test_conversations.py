"""Conversations in the shapes that published datasets have.

Sources: axolotl#752 (names of roles), LlamaFactory#2962, #2529, smol-course#260, Automodel#3144 (tools,
turns in a row), ai-dial-sdk#163, mastra#3584 (content as parts), argilla and pandas (JSON, Python reprs in
a cell), old `Sequence` features (structs of lists), OASST and Anthropic's hh-rlhf.
"""

import json
from pathlib import Path
from typing import Any

import pytest

import polypref
from polypref.builders.tables.texts import read_completion, read_messages, read_prompt, replace_texts
from tests.field.builds import build, write_rows

CHECKPOINTS = Path(polypref.__file__).parent / "demo/checkpoints"

Q, A = "How do I sort a list?", "Call sorted."
CHAT = [{"role": "user", "content": Q}, {"role": "assistant", "content": A}]


def shapes() -> dict[str, Any]:
    parts = [{"type": "text", "text": Q}]
    nulls = {"role": None, "content": None, "from": None, "value": None}
    return {
        "messages": CHAT,
        "upper case": [{"role": "USER", "content": Q}, {"role": "Assistant", "content": A}],
        "Human": [{"from": "Human", "value": Q}, {"from": "Assistant", "value": A}],
        "bing": [{"from": "user", "value": Q}, {"from": "bing", "value": A}],
        "model": [{"role": "user", "content": Q}, {"role": "model", "content": A}],
        "prompter": [{"role": "prompter", "text": Q}, {"role": "assistant", "text": A}],
        "parts": [{"role": "user", "content": parts}, CHAT[1]],
        "parts of text": [{"role": "user", "content": [Q]}, CHAT[1]],
        "nulls beside": [nulls | {"from": "human", "value": Q}, nulls | CHAT[1]],
        "struct of lists": {"role": ["user", "assistant"], "content": [Q, A]},
        "ShareGPT struct of lists": {"from": ["human", "gpt"], "value": [Q, A]},
        "JSON": json.dumps(CHAT),
        "pretty JSON": json.dumps([{"from": "human", "value": Q}, {"from": "gpt", "value": A}], indent=2),
        "JSON struct of lists": json.dumps({"role": ["user", "assistant"], "content": [Q, A]}),
        "object": {"id": "1", "conversations": [{"from": "human", "value": Q}, {"from": "gpt", "value": A}]},
        "JSON object": json.dumps({"messages": CHAT}),
        "repr": repr(CHAT),
        "hh-rlhf": f"\n\nHuman: {Q}\n\nAssistant: {A}",
    }


@pytest.mark.parametrize("shape", shapes())
def test_a_conversation_is_read_and_replaced_in_its_shape(shape: str) -> None:
    value = shapes()[shape]
    assert read_messages(value) == CHAT
    assert read_prompt(value, "all") == CHAT[:1]
    assert read_completion(value, CHAT[:1]) == (A, None)
    assert read_completion(value, [{"role": "user", "content": "Another question?"}]) == (
        None,
        "other_prompt",
    )
    other = replace_texts(value, ["Wie?", "So."])
    assert type(other) is type(value)
    assert [message["content"] for message in read_messages(other) or ()] == ["Wie?", "So."]


@pytest.mark.parametrize("value", [CHAT[0], json.dumps(CHAT[0]), {"role": "human", "content": [{"text": Q}]}])
def test_a_message_may_stand_alone(value: Any) -> None:
    assert read_messages(value) == CHAT[:1]


@pytest.mark.parametrize(
    ("name", "role"),
    [("function_call", "assistant"), ("observation", "tool"), ("tool", "tool"), ("developer", "system")],
)
def test_roles_of_tools_and_developers(name: str, role: str) -> None:
    assert read_messages([{"from": name, "value": "x"}]) == [{"role": role, "content": "x"}]


def test_turns_of_one_role_in_a_row_are_one() -> None:
    turns = [
        {"from": "human", "value": "a"},
        {"from": "gpt", "value": "b"},
        {"from": "function_call", "value": "c"},
        {"from": "human", "value": "d"},
        {"from": "human", "value": "e"},
    ]
    assert read_prompt(turns, "all") == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b\n\nc"},
        {"role": "user", "content": "d\n\ne"},
    ]


@pytest.mark.parametrize(
    "text",
    [
        '["apples", "pears"]',
        '{"role": "admin"}',
        '[{"role": "user", "content": "cut off',
        '[{"name": "x", "value": 3, "from": null}]',
        "What does [{'a': 1}] mean?",
        "[" * 100_000 + "role",
        "{'role': " * 10_000,
    ],
)
def test_a_text_that_only_looks_like_a_conversation_stays_a_text(text: str) -> None:
    assert read_messages(text) == [{"role": "user", "content": text}]
    assert replace_texts(text, ["x"]) == "x"


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
        [{"role": "user", "content": [{"type": "text", "text": Q}, {"type": "image"}]}],
        [{"role": "user", "content": []}, CHAT[1], {"role": "tool", "content": None}],
        {"role": ["user", "assistant"], "content": [Q, None]},
        {"role": ["user", "assistant"], "content": [Q]},
    ],
)
def test_a_turn_that_is_no_text_makes_the_row_not_text(value: Any) -> None:
    assert read_messages(value) is None


@pytest.mark.parametrize(
    "value", [None, 7, [], CHAT[:1], "\0", [*CHAT[:1], {"role": "tool", "content": "x"}]]
)
def test_without_an_answer_there_is_no_completion(value: object) -> None:
    assert read_completion(value, CHAT[:1]) == (None, "not_text")


def test_the_answer_is_the_turn_that_follows_the_prompt() -> None:
    longer = [{"role": "system", "content": "Be kind."}, *CHAT, {"role": "user", "content": "Thanks!"}]
    assert read_completion(longer, [{"role": "system", "content": "Be brief."}, CHAT[0]]) == (A, None)
    assert read_completion([*CHAT, CHAT[0], {"role": "gpt", "content": "b"}], [*CHAT, CHAT[0]]) == ("b", None)
    assert read_completion(CHAT[1:], CHAT[:1]) == (A, None)
    assert read_completion(A, CHAT[:1]) == (A, None)


def test_a_conversation_that_the_template_refuses_does_not_end_a_build(tmp_path: Path) -> None:
    # LlamaFactory#2962, #2529, smol-course#260, Automodel#3144
    rows = [
        [("human", "Hello!")],
        [("gpt", "Hi, I am a bot."), ("human", "Hello!")],  # the assistant begins
        [("human", "How warm is it?"), ("function_call", "{}"), ("observation", "7"), ("human", "Thanks!")],
        [
            ("human", "a"),
            ("gpt", "b"),
            ("gpt", "c"),
            ("human", "d"),
        ],  # joined: templates want turns to alternate
    ]
    conversations = [{"chat": [{"from": name, "value": text} for name, text in row]} for row in rows]
    strong = {"kind": "hf", "model": str(CHECKPOINTS / "strong"), "sampling": {"max_tokens": 4}}
    filters = dict.fromkeys(("wrong_language", "truncated", "empty"))
    built = build(
        tmp_path,
        prompts={
            "sources": [{"path": write_rows(tmp_path / "p.jsonl", conversations), "text": "chat"}],
            "turns": "all",
            "filters": filters,
        },
        complete={"generators": {"strong": {"engine": strong}}, "filters": filters},
    )
    assert built.counts("prompts") == {None: 4}
    assert built.counts("strong-native") == {None: 2, "template_refused": 2}
