"""Texts in a column of a user's table: what a value may hold, how to read it and how to replace what it
holds.

A value is a text, a message, or a list of them. A text that stands alone is the user's. A message is {role,
content}, or {from, value} with ShareGPT's names of roles. Everything else, such as null, a number, an empty
list, or a list with one turn of another kind, is not text.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from polypref.builders.filters.text import is_text

ROLES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
}


def read_message(turn: object) -> dict[str, str] | None:
    """Return one turn as {role, content}; None if it is not text."""
    role: object = "user"
    content = turn
    if isinstance(turn, Mapping):
        role = turn.get("role", turn.get("from"))
        content = turn.get("content", turn.get("value"))
    if not isinstance(role, str) or not isinstance(content, str) or not is_text(content):
        return None
    return {"role": ROLES.get(role, role), "content": content}


def read_messages(value: object) -> list[dict[str, str]] | None:
    """Return all turns of a value as messages; None if it is not text."""
    messages = []
    for turn in _turns(value):
        message = read_message(turn)
        if message is None:
            return None
        messages.append(message)
    return messages or None


def read_texts(value: object) -> list[str] | None:
    """Return the texts of a value, one for each turn; None if it is not text."""
    messages = read_messages(value)
    return None if messages is None else [message["content"] for message in messages]


def read_prompt(value: object, turns: str) -> list[dict[str, str]] | None:
    """Return the prompt in a value; None if it is not text or has no turn of the user.

    With `turns` "first" it is the user's first turn and the system messages before it, with "all" everything
    up to the user's last turn.
    """
    messages = read_messages(value) or []
    users = [number for number, message in enumerate(messages) if message["role"] == "user"]
    if not users:
        return None
    if turns == "first":
        system = [message for message in messages[: users[0]] if message["role"] == "system"]
        return [*system, messages[users[0]]]
    return _merge_user_turns(messages[: users[-1] + 1])


def _merge_user_turns(messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return the messages, those of the user in a row as one: chat templates expect roles to alternate."""
    merged: list[dict[str, str]] = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"] == "user":
            merged[-1] = {"role": "user", "content": f"{merged[-1]['content']}\n\n{message['content']}"}
        else:
            merged.append(message)
    return merged


def replace_texts(value: object, texts: Sequence[str]) -> object:
    """Return the value in its own shape with other texts, one for each turn."""
    turns: list[object] = []
    for turn, text in zip(_turns(value), texts, strict=True):
        if isinstance(turn, Mapping):
            key = "content" if "content" in turn else "value"
            turns.append({**turn, key: text})
        else:
            turns.append(text)
    return turns if isinstance(value, list) else turns[0]


def map_values(value: Any, kind: type, change: Callable[[Any], object]) -> Any:
    """Return the value with `change` applied to everything of a kind in it, at any depth; keys stay."""
    match value:
        case dict():
            return {key: map_values(inner, kind, change) for key, inner in value.items()}
        case list():
            return [map_values(inner, kind, change) for inner in value]
        case _:
            return change(value) if isinstance(value, kind) else value


def _turns(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
