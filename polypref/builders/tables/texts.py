r"""Texts in a column of a user's table: what a value may hold, how to read it and how to replace it.

A value is a text, a message, or a list of them; also a list of messages as JSON, in an object that holds
them as `messages` or `conversations`, as a struct of lists, or as a transcript of hh-rlhf
("\n\nHuman: …\n\nAssistant: …"). A text that stands alone is the user's. A message is {role, content} or, as
ShareGPT and OASST have it, {from, value} or {role, text}; its content is a text or a list of parts that are
all texts. Everything else, such as null, a number, an empty list, or a list with one turn of another kind,
is not text.
"""

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from polypref.builders.filters.text import is_text
from polypref.schemas import normalised

ROLE_KEYS = ("role", "from")
CONTENT_KEYS = ("content", "value", "text")
# The names of roles in published conversations, in lower case; others stay as they are.
ROLES = {
    **dict.fromkeys(("human", "prompter"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bing", "bard", "bot", "model", "function_call"), "assistant"),
    **dict.fromkeys(("observation", "function", "function_response", "tool_response"), "tool"),
    "developer": "system",
}

WRAPPERS = ("messages", "conversations", "conversation")  # keys of an object whose only use is to hold turns

TRANSCRIPT = re.compile(r"\n\n(Human|Assistant):")

Messages = list[dict[str, str]]


def read_message(turn: object) -> dict[str, str] | None:
    """Return one turn as {role, content}; None if it is not text."""
    role: object = "user"
    content = turn
    if isinstance(turn, Mapping):
        role = turn.get(_filled_key(turn, ROLE_KEYS))
        content = _join_parts(turn.get(_filled_key(turn, CONTENT_KEYS)))
    if not isinstance(role, str) or not isinstance(content, str) or not is_text(content):
        return None
    role = role.strip().lower()
    return {"role": ROLES.get(role, role), "content": content}


def _filled_key(turn: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Return the first of the keys that is not null: tables fill up keys that other rows have."""
    return next((key for key in keys if turn.get(key) is not None), keys[0])


def _join_parts(content: Any) -> Any:
    """Return the text of a message whose content is a list of parts; None if a part is not text."""
    if not isinstance(content, list) or not content:
        return content
    texts: list[Any] = [part.get("text") if isinstance(part, Mapping) else part for part in content]
    return "\n".join(texts) if all(isinstance(text, str) for text in texts) else None


def read_messages(value: object) -> Messages | None:
    """Return all turns of a value as messages; None if it is not text."""
    messages = []
    for turn in read_turns(value):
        message = read_message(turn)
        if message is None:
            return None
        messages.append(message)
    return messages or None


def read_texts(value: object) -> list[str] | None:
    """Return the texts of a value, one for each turn; None if it is not text."""
    messages = read_messages(value)
    return None if messages is None else [message["content"] for message in messages]


def read_prompt(value: object, turns: str) -> Messages | None:
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
    return _merge_turns(messages[: users[-1] + 1])


def read_completion(value: object, prompt: Sequence[Mapping[str, str]]) -> tuple[str | None, str | None]:
    """Return the answer in a value: a text, or the turn that follows the prompt in a conversation.

    A conversation may leave out the prompt altogether, and system messages do not count. Without an answer,
    returns None and the reason: `not_text`, or `other_prompt` if the conversation begins with another prompt.
    """
    if isinstance(value, str) and _parse(value) is value:
        return (value, None) if is_text(value) else (None, "not_text")
    messages = _merge_turns(
        [message for message in read_messages(value) or [] if message["role"] != "system"]
    )
    asked = normalised([message for message in prompt if message["role"] != "system"])
    if any(message["role"] == "user" for message in messages):
        if normalised(messages[: len(asked)]) != asked:
            return None, "other_prompt"
        messages = messages[len(asked) :]
    if not messages or messages[0]["role"] != "assistant":
        return None, "not_text"
    return messages[0]["content"], None


def _merge_turns(messages: Sequence[dict[str, str]]) -> Messages:
    """Return the messages, those of one role in a row as one: chat templates expect roles to alternate."""
    merged: Messages = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"]:
            merged[-1] = {**message, "content": f"{merged[-1]['content']}\n\n{message['content']}"}
        else:
            merged.append(message)
    return merged


def replace_texts(value: object, texts: Sequence[str]) -> object:
    """Return the value in its own shape with other texts, one for each turn."""
    if isinstance(value, str):
        conversation = _parse(value)
        if conversation is value:
            return texts[0]
        if TRANSCRIPT.match(value):
            return "".join(map("\n\n{}: {}".format, TRANSCRIPT.findall(value), texts))
        return json.dumps(replace_texts(conversation, texts), ensure_ascii=False)
    if isinstance(value, Mapping) and _is_struct_of_lists(value):
        return {**value, _filled_key(value, CONTENT_KEYS): list(texts)}
    if isinstance(value, Mapping) and _wrapper(value):
        key = _wrapper(value)
        return {**value, key: replace_texts(value[key], texts)}
    turns: list[object] = []
    for turn, text in zip(read_turns(value), texts, strict=True):
        if isinstance(turn, Mapping):
            key = _filled_key(turn, CONTENT_KEYS)
            content = [{"type": "text", "text": text}] if isinstance(turn[key], list) else text
            turns.append({**turn, key: content})
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


def read_turns(value: object) -> list[Any]:
    """Return the turns of a value, in any of its shapes, as texts and messages that are not checked yet."""
    if isinstance(value, str):
        value = _parse(value)
    if isinstance(value, Mapping) and _wrapper(value):
        value = value[_wrapper(value)]
    if isinstance(value, Mapping) and _is_struct_of_lists(value):
        role_key, content_key = _filled_key(value, ROLE_KEYS), _filled_key(value, CONTENT_KEYS)
        turns = []
        for role, content in zip(value[role_key], value[content_key], strict=True):
            turns.append({role_key: role, content_key: content})
        return turns
    return value if isinstance(value, list) else [value]


def _wrapper(value: Mapping[str, Any]) -> str:
    """Return the key under which an object holds a list of turns; "" if it holds none."""
    return next((key for key in WRAPPERS if isinstance(value.get(key), list)), "")


def _is_struct_of_lists(value: Mapping[str, Any]) -> bool:
    """Return True for {"role": [...], "content": [...]}, as datasets stored lists of messages in the past."""
    roles, contents = (value.get(_filled_key(value, keys)) for keys in (ROLE_KEYS, CONTENT_KEYS))
    return isinstance(roles, list) and isinstance(contents, list) and len(roles) == len(contents)


def _parse(text: str) -> object:
    """Return the conversation that a text holds as JSON, as Python prints it, or as a transcript.

    Returns the text itself if it holds none.
    """
    if TRANSCRIPT.match(text):
        _, *turns = TRANSCRIPT.split(text)
        return [
            {"role": role, "content": content.strip()}
            for role, content in zip(turns[::2], turns[1::2], strict=True)
        ]
    if not text.lstrip().startswith(("[", "{")) or not any(key in text for key in ROLE_KEYS):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        try:
            value = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
    except RecursionError:
        return text
    turns = read_turns(value)
    is_conversation = (
        bool(turns) and all(isinstance(turn, Mapping) for turn in turns) and read_messages(turns)
    )
    return value if is_conversation else text
