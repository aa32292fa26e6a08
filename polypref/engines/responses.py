"""The gate between a server's response and the answer log: status and body become one of three outcomes.

An answer has a text of valid Unicode and a finish reason of a closed list. Everything else is a rejection,
which is the same every time, or a failure, which may pass; both say why in the server's own words.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from polypref.engines.base import Answer, Failure, Outcome, Rejection

Reader = Callable[[Any], Outcome]  # reads what a server means by its JSON

STOP = {401, 402, 404, 405, 407, 410}  # the key, the account, the model or the address
REJECTED = {400, 403, 413, 414, 415, 422, 451}  # this request fails every time
BUSY = {429, 503, 529}
AWAY = {0, 502, 503, 504, 520, 521, 522, 523, 524, 530}  # of proxies before a server that does not respond
# A 429 that waiting cannot mend.
QUOTA = re.compile(r"insufficient[ _](quota|balance)|exceeded_current_quota", re.IGNORECASE)
OVERLOAD = re.compile(r"rate.?limit|too many requests|overloaded|resource_exhausted", re.IGNORECASE)

# Codes of errors that are no numbers, in lower case, as the status that they mean.
STATUS_OF_CODE = {
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "context_length_exceeded": 400,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "unauthenticated": 401,
    "insufficient_quota": 402,
    "permission_denied": 403,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found": 404,
    "not_found_error": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "resource_exhausted": 429,
    "overloaded_error": 529,
    "unavailable": 503,
}

# Finish reasons as servers write them, whatever the case and the separators. One that no list holds is a
# rejection.
FINISH_REASONS = {
    "stop": """stop end_turn eos eos_token stop_sequence stop_token complete completed finish finished end
        word null none""",
    "length": """length max_tokens max_output_tokens max_length max_new_tokens model_length token_limit limit
        error_limit incomplete model_context_window_exceeded""",
    "content_filter": """content_filter content_filtered safety image_safety recitation blocklist spii
        prohibited_content error_toxic refusal guardrail_intervened sensitive language""",
    "tool": """tool_calls tool_call tool_use function_call pause_turn malformed_function_call
        unexpected_tool_call""",
    # The server broke the answer off.
    "error": """error abort aborted cancelled canceled user_cancel timeout network_error other
        insufficient_system_resource unspecified unknown failed model_error server_error internal_error""",
}
KIND_OF_REASON: dict[str, str] = {}
for _kind, _words in FINISH_REASONS.items():
    for _word in _words.split():
        KIND_OF_REASON[_word.replace("_", "")] = _kind

TAG = r"(?:seed:)?(?:think|thinking|thought)"
# The first group is an opening tag. Tags between backticks are what a text is about, not its own.
THINKING = re.compile(
    rf"(?<!`)(?:(<{TAG}>|\[THINK\]|◁think▷)|(?:</{TAG}>|\[/THINK\]|◁/think▷))(?!`)\s*", re.IGNORECASE
)
# The format of gpt-oss, where a server does not read it: messages on channels, of which `final` counts.
HARMONY_START = ("<|channel|>", "<|start|>")
HARMONY_FINAL = re.compile(r"<\|channel\|>final[^<]*<\|message\|>")
HARMONY_MARK = re.compile(r"<\|(?:start|channel)\|>[^<]*|<\|(?:message|end|return)\|>")
TAG_ENDS = ("think>", "thinking>", "thought>", "think]", "think▷")

REASONING = ("reasoning_content", "reasoning", "thinking")
BESIDE_TEXT = (*REASONING, "reasoning_details", "tool_calls", "function_call", "audio")
MOST_TOKENS = 2**31 - 1  # what the tables hold
MESSAGE_CHARACTERS = 200


def read_response(status: int, body: bytes, read: Reader) -> Outcome:
    """Return the outcome of a call; `read` reads the JSON of a success.

    Status 0 is a connection that failed, with the reason as its body.
    """
    if 200 <= status < 300:
        return _read_success(body, read)
    message = error_message(body)
    return _read_error(status, message if status == 0 else f"{status}: {message}")


def _read_error(status: int, reason: str) -> Outcome:
    if status in STOP or 300 <= status < 400 or (status == 429 and QUOTA.search(reason)):
        return Rejection(reason, stops=True)
    if status in REJECTED:
        return Rejection(reason, forbidden=status == 403)
    return Failure(reason, busy=status in BUSY, away=status in AWAY)


def _read_success(body: bytes, read: Reader) -> Outcome:
    try:
        content = _unwrap(json.loads(body))
    except RecursionError:
        return Failure("an answer that is not JSON: nested too deeply")
    except ValueError:
        return Failure(f"an answer that is not JSON: {_describe_body(body)}")
    if isinstance(content, dict):
        code, message = _find_error(content)
        if code:
            return _read_error(code, f"{code}: {message}")
        if message:
            return Failure(message, busy=bool(OVERLOAD.search(message)))
    try:
        return read(content)
    except (LookupError, TypeError, ValueError, AttributeError):
        return Failure(
            _one_line(f"an answer without a choice: {body[:MESSAGE_CHARACTERS].decode(errors='replace')}")
        )


def _describe_body(body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    if not text:
        return "an empty body"
    if text.startswith(("data:", "event:", ":")):
        return "a stream of events"
    if text.startswith("<"):
        return f"HTML: {_one_line(text)}"
    return _one_line(text[:60])


def read_completion(content: Any) -> Outcome:
    """Return the first choice of a chat completion. Errors of lookup mean that there is none."""
    choice = content["choices"][0]
    usage = content.get("usage")
    tokens = count_tokens(usage, "completion_tokens", "output_tokens")
    prompt_tokens = count_tokens(usage, "prompt_tokens", "input_tokens")
    code, message = _find_error(choice)
    if message:
        return _read_error(code or 500, f"{code}: {message}" if code else message)
    reason = choice.get("finish_reason") or "stop"
    kind = _kind_of_reason(reason)
    if kind == "content_filter":
        return Answer("", "error", tokens, error="content_filter", prompt_tokens=prompt_tokens)
    if kind == "error":
        return Failure(_one_line(f"the server broke the answer off: finish_reason {reason!r}"))
    if kind is None:
        said = Said(problem=f"unknown finish_reason {reason!r}")
    elif kind == "tool":
        said = Said(problem=f"not an answer but a call of a tool: finish_reason {reason!r}")
    else:
        said = _read_message(choice["message"])
    if said.problem:
        return Rejection(_one_line(said.problem), tokens=tokens, prompt_tokens=prompt_tokens)
    return Answer(said.text, kind or "", tokens, prompt_tokens=prompt_tokens, thinking=said.thinking)


def _kind_of_reason(reason: object) -> str | None:
    if not isinstance(reason, str):
        return None
    word = re.sub("[^a-z]", "", reason.lower())
    return KIND_OF_REASON.get(word.removeprefix("finishreason"))


class Said(NamedTuple):
    """The text of a message, and the thinking apart from it; or why the message is no answer (`problem`)."""

    text: str = ""
    thinking: str = ""
    problem: str = ""


def _read_message(message: Mapping[str, Any]) -> Said:
    content = message.get("content")
    refusal = message.get("refusal")
    beside = [name for name in BESIDE_TEXT if message.get(name)]
    match content:
        case str():
            text = content
        case None:
            text = ""
        case list():
            text, other_parts = _join_parts(content)
            beside += other_parts
        case _:
            return Said(problem=f"content is {type(content).__name__}, not text")
    if not text.strip() and isinstance(refusal, str) and refusal:
        text = refusal
    if not text.strip() and beside:
        return Said(problem=f"no text, only {' and '.join(dict.fromkeys(beside))}")
    if content is None and not text:
        return Said(problem="no text")
    said = _split_thinking(_valid(text))
    for name in REASONING:
        if isinstance(message.get(name), str):
            return said._replace(thinking=_valid(message[name]) + said.thinking)
    return said


def _join_parts(parts: list[Any]) -> tuple[str, list[str]]:
    """Return the text of a content's text parts, and the types of the other parts."""
    texts, others = [], []
    for part in parts:
        match part:
            case str():
                texts.append(part)
            case {"refusal": str(refusal)}:
                texts.append(refusal)
            case {"type": "text" | "output_text", "text": str(text)}:
                texts.append(text)
            case {"type": "text", "text": {"value": str(text)}}:
                texts.append(text)
            case {"text": str(text)} if "type" not in part:
                texts.append(text)
            case dict():
                others.append(str(part.get("type")))
            case _:
                others.append(type(part).__name__)
    return "".join(texts), others


def _split_thinking(text: str) -> Said:
    """Take the blocks of thinking out of a text."""
    if text.lstrip().startswith(HARMONY_START):
        *before_final, final = HARMONY_FINAL.split(text)
        if not before_final:
            return Said(problem="cut while it was thinking: no text")
        thinking = HARMONY_MARK.sub("", "".join(before_final))
        return Said(HARMONY_MARK.sub("", final).strip(), thinking.strip())
    lower = text.lower()
    if not any(end in lower for end in TAG_ENDS):  # a hundred times as fast as the search for tags
        return Said(text)
    kept: list[str] = []
    thoughts: list[str] = []
    position, is_thinking = 0, False  # the text before `position` was read
    for tag in THINKING.finditer(text):
        if tag[1] and not is_thinking:
            kept.append(text[position : tag.start()])
            position, is_thinking = tag.start(), True
        elif not tag[1]:
            if not is_thinking:  # the prompt's template opened it
                thoughts += kept
                kept.clear()
            thoughts.append(THINKING.sub("", text[position : tag.start()]))
            position, is_thinking = tag.end(), False
    before, rest = "".join(kept), text[position:]
    if is_thinking and not before.strip():
        return Said(problem="cut while it was thinking: no text")
    if text.strip() and not (before + rest).strip():
        return Said(problem="no text, only thinking")
    return Said((before + rest).lstrip(), "\n\n".join(filter(None, map(str.strip, thoughts))))


def count_tokens(usage: Any, *names: str) -> int:
    """Return the first of these counts that a usage of any shape holds; 0 if there is none."""
    for name in names:
        try:
            count = int(float(usage[name]))
        except (LookupError, TypeError, ValueError, OverflowError):
            continue
        if 0 <= count <= MOST_TOKENS:
            return count
    return 0


def _unwrap(content: Any) -> Any:
    """Return the object in a list of one, in which Google puts its errors."""
    match content:
        case [dict() as only]:
            return only
    return content


def _find_error(content: Mapping[str, Any]) -> tuple[int | None, str]:
    """Return the code and the message of an error in JSON of any of the usual shapes, or None and ""."""
    error = content.get("error") or content.get("errors")
    if not error and not content.get("choices"):
        is_error = isinstance(content.get("message") or content.get("msg"), str)
        error = content.get("detail") or (content if is_error else None)
    if isinstance(error, list):
        error = error[0]
    if error is True:  # the message stands beside it
        error = {name: value for name, value in content.items() if name != "error"}
    if not error or (isinstance(error, dict) and not any(error.values())):
        return None, ""
    if not isinstance(error, dict):
        return None, _one_line(str(error))
    message = error.get("message") or error.get("msg") or json.dumps(error, ensure_ascii=False)
    codes = [
        str(error[name])
        for name in ("code", "status", "status_code", "statusCode", "type")
        if error.get(name)
    ]
    for code in codes:
        if code.isdecimal() and 300 <= int(code) < 600:
            return int(code), _one_line(str(message))
        if code.lower() in STATUS_OF_CODE:
            return STATUS_OF_CODE[code.lower()], _one_line(f"{message} ({code})")
    return None, _one_line(str(message))


def error_message(body: bytes) -> str:
    """Return the message in an error's body, or the body, as one short line."""
    text = body.decode("utf-8", "replace")
    try:
        content = _unwrap(json.loads(text))
    except (ValueError, RecursionError):
        return _one_line(text)
    if not isinstance(content, dict):
        return _one_line(text)
    message = _find_error(content)[1] or content.get("message") or content.get("msg")
    return _one_line(str(message or text))


def _one_line(text: str) -> str:
    """Return a message of a server as one short line, without HTML tags and what a terminal would obey."""
    text = re.sub(r"<[^<>]{1,200}>", " ", text) if text.lstrip().startswith("<") else text
    printable = "".join(character if character.isprintable() else " " for character in text[:10_000])
    return " ".join(printable.split())[:MESSAGE_CHARACTERS]


def _valid(text: str) -> str:
    """Return a text with lone surrogates, which no UTF-8 holds, replaced."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
