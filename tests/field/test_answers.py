"""Bodies that strangers' servers sent: each becomes an answer, a rejection or a failure that says why.

Each case names its source; those without one are our own.
"""

import json
from typing import Any

import pytest

from polypref.engines.base import Answer, Failure, Outcome, Rejection
from polypref.engines.responses import read_completion, read_response
from polypref.engines.vllm import read_score


def body(content: Any, finish_reason: Any = "stop", usage: Any = None, **message: Any) -> bytes:
    choice = {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish_reason}
    return json.dumps({"choices": [choice], "usage": usage}).encode()


def read(content: bytes, status: int = 200) -> Outcome:
    return read_response(status, content, read_completion)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        # NousResearch/hermes-agent#4748, infiniflow/ragflow#14805: Magistral
        ([{"type": "thinking", "thinking": ["…"]}, {"type": "text", "text": "Four."}], "Four."),
        ([{"type": "text", "text": "Fo"}, {"type": "text", "text": "ur."}], "Four."),
        (["Fo", {"text": "ur."}], "Four."),
        ([{"type": "text", "text": {"value": "Four.", "annotations": []}}], "Four."),  # OpenAI's assistants
        # lighteval#869, InternScience/GraphGen#40
        ("<think>two and two</think>Four.", "Four."),
        ("<think>\n\n</think>\n\nFour.", "Four."),
        ("two and two</think>\n\nFour.", "Four."),
        (" <Thinking>two and two</Thinking> Four.", "Four."),
        ("<think>a</think>Fo<think>b</think>ur.", "Four."),
        ("[THINK]two and two[/THINK]Four.", "Four."),
        ("◁think▷two and two◁/think▷Four.", "Four."),
        # gpt-oss behind a server that does not read its format
        (
            "<|channel|>analysis<|message|>two and two<|end|><|start|>assistant<|channel|>final"
            "<|message|>Four.<|return|>",
            "Four.",
        ),
        ("A text may name `<|channel|>final<|message|>`.", "A text may name `<|channel|>final<|message|>`."),
        ("The tag `<think>` opens, `</think>` closes.", "The tag `<think>` opens, `</think>` closes."),
        ("A text may say <think> and go on.", "A text may say <think> and go on."),
        ("half an emoji: \ud83d", "half an emoji: \ufffd"),
        ("a whole emoji: 😀", "a whole emoji: 😀"),
        ("", ""),
    ],
)
def test_the_text_is_what_the_model_says_to_the_user(content: Any, text: str) -> None:
    outcome = read(body(content))
    assert isinstance(outcome, Answer)
    assert (outcome.text, outcome.finish_reason, outcome.error) == (text, "stop", None)


@pytest.mark.parametrize(
    ("message", "thinking"),
    [
        ({"content": "<think>two and two</think>Four."}, "two and two"),
        ({"content": "two and two</think>Four."}, "two and two"),
        ({"content": "<think>a</think>Fo<think>b</think>ur."}, "a\n\nb"),
        (
            {"content": "<|channel|>analysis<|message|>two<|end|><|channel|>final<|message|>Four."},
            "two",
        ),
        ({"content": "Four.", "reasoning_content": "two and two"}, "two and two"),
        ({"content": "Four.", "reasoning": "half an emoji: \ud83d"}, "half an emoji: \ufffd"),
        ({"content": "Four."}, ""),
    ],
)
def test_thinking_is_kept_apart_from_the_text(message: dict[str, Any], thinking: str) -> None:
    outcome = read(body(**message))
    assert isinstance(outcome, Answer)
    assert outcome.record().get("thinking", "") == thinking
    assert "two" not in outcome.text


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        # vllm#45736, vllm#52640, mindcraft#789, lmstudio#1602
        ({"content": None, "reasoning_content": "Hm."}, "no text, only reasoning_content"),
        ({"content": "", "reasoning": "Hm."}, "no text, only reasoning"),
        ({"content": None, "reasoning_details": [{}]}, "no text, only reasoning_details"),
        ({"content": None, "tool_calls": [{"id": "1"}]}, "no text, only tool_calls"),
        ({"content": [{"type": "thinking", "thinking": []}]}, "no text, only thinking"),
        ({"content": [{"type": "image_url"}]}, "no text, only image_url"),
        ({"content": None}, "no text"),
        ({"content": {"text": "x"}}, "content is dict, not text"),
        ({"content": 4}, "content is int, not text"),
        ({"content": True}, "content is bool, not text"),
        ({"content": "<think>two and"}, "cut while it was thinking: no text"),
        ({"content": "<think>two and two</think>"}, "no text, only thinking"),
        ({"content": "<|channel|>analysis<|message|>two"}, "cut while it was thinking: no text"),
    ],
)
def test_a_message_without_text_says_what_it_has_instead(message: dict[str, Any], reason: str) -> None:
    assert read(body(**message, usage={"completion_tokens": 3})) == Rejection(reason, tokens=3)


def test_the_text_of_a_refusal_is_the_text() -> None:
    assert read(body(None, refusal="I'm sorry.")) == Answer("I'm sorry.")
    assert read(body([{"type": "refusal", "refusal": "I'm sorry."}])) == Answer("I'm sorry.")


@pytest.mark.parametrize(
    ("reasons", "finish_reason"),
    [
        # OpenAI, Anthropic, TGI, Cohere, Gemini, Ollama, llama.cpp; null: servers that leave it out
        (["stop", "end_turn", "eos_token", "eos", "COMPLETE", "STOP", "stop_sequence", None, ""], "stop"),
        # Vertex AI, AWS's SDKs
        (["FINISH_REASON_STOP", "FinishReason.STOP", "endTurn", "StopSequence"], "stop"),
        (["maxTokens", "max-tokens"], "length"),
        # OpenAI, Anthropic, Gemini, Mistral, llama.cpp
        (["length", "max_tokens", "MAX_TOKENS", "model_length", "limit"], "length"),
    ],
)
def test_finish_reasons_of_all_providers_mean_the_same(reasons: list[Any], finish_reason: str) -> None:
    for reason in reasons:
        assert read(body("x", reason)) == Answer("x", finish_reason)


@pytest.mark.parametrize(
    "reason", ["content_filter", "SAFETY", "RECITATION", "ERROR_TOXIC", "sensitive", "content-filter"]
)
def test_a_filtered_answer_is_an_error_by_that_name(reason: str) -> None:
    assert read(body("par", reason)) == Answer("", "error", error="content_filter")


# DeepSeek, vLLM, Mistral, Cohere, OpenRouter
@pytest.mark.parametrize(
    "reason", ["insufficient_system_resource", "abort", "error", "USER_CANCEL", "model_error"]
)
def test_an_answer_that_the_server_broke_off_is_a_failure(reason: str) -> None:
    assert read(body("par", reason)) == Failure(f"the server broke the answer off: finish_reason '{reason}'")


def test_a_finish_reason_that_is_not_known_is_named() -> None:
    assert read(body("x", "vibes")) == Rejection("unknown finish_reason 'vibes'")
    assert read(body("x", {"type": "stop"})) == Rejection("unknown finish_reason {'type': 'stop'}")
    assert read(body("x", ["stop"])) == Rejection("unknown finish_reason ['stop']")
    assert read(body("x", "tool_calls")) == Rejection(
        "not an answer but a call of a tool: finish_reason 'tool_calls'"
    )


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"completion_tokens": 7}, 7),
        ({"output_tokens": 7}, 7),
        ({"completion_tokens": "7"}, 7),
        ({"completion_tokens": 7.0}, 7),
        ({"completion_tokens": None}, 0),
        ({"completion_tokens": {"total": 7}}, 0),
        ({"completion_tokens": -7}, 0),
        ({"completion_tokens": 1e300}, 0),
        ([7], 0),
        ("seven", 0),
        (7, 0),
        (None, 0),
    ],
)
def test_usage_of_any_shape_loses_no_answer(usage: Any, tokens: int) -> None:
    assert read(body("x", usage=usage)) == Answer("x", tokens=tokens)


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        # openai-agents-python#2850, litellm#13139, OpenRouter
        (
            {"error": {"message": "Rate limit exceeded", "code": 429}},
            Failure("429: Rate limit exceeded", busy=True),
        ),
        ({"error": {"message": "Upstream", "code": "502"}}, Failure("502: Upstream", away=True)),
        ({"error": {"message": "No key", "code": 401}}, Rejection("401: No key", stops=True)),
        ({"error": {"message": "Too long", "code": 400}}, Rejection("400: Too long")),
        (
            {"error": {"message": "No money", "code": "insufficient_quota"}},
            Rejection("402: No money (insufficient_quota)", stops=True),
        ),
        ({"error": "the model is overloaded"}, Failure("the model is overloaded", busy=True)),
        ({"object": "error", "message": "Too long", "code": 400}, Rejection("400: Too long")),  # old vLLM
        ({"detail": "Not Found"}, Failure("Not Found")),  # FastAPI
        ({"statusCode": 429, "message": "Slow down"}, Failure("429: Slow down", busy=True)),
        ({"code": 1301, "msg": "sensitive"}, Failure("sensitive")),
        ({"error": True, "code": 429, "message": "Slow down"}, Failure("429: Slow down", busy=True)),
        (
            [{"error": {"message": "Slow down", "code": 429, "status": "RESOURCE_EXHAUSTED"}}],  # Gemini
            Failure("429: Slow down", busy=True),
        ),
        (
            {"choices": [{"error": {"code": 502, "message": "Upstream"}, "message": {"content": "par"}}]},
            Failure("502: Upstream", away=True),
        ),
        ({"error": None, **json.loads(body("x"))}, Answer("x")),
        ({"error": {"code": 0, "message": ""}, **json.loads(body("x"))}, Answer("x")),
        ({"message": {"content": "x"}, "done": True}, "an answer without a choice: "),  # Ollama's own
        ({"choices": []}, "an answer without a choice: "),
        ({"choices": None}, "an answer without a choice: "),
        ([], "an answer without a choice: "),
        (None, "an answer without a choice: null"),
    ],
)
def test_an_error_inside_a_success_is_treated_as_its_code_says(content: Any, outcome: Outcome | str) -> None:
    found = read(json.dumps(content).encode())
    if isinstance(outcome, str):
        assert isinstance(found, Failure)
        assert found.reason.startswith(outcome)
    else:
        assert found == outcome


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"", "an empty body"),
        (b"data: {}\n\n", "a stream of events"),
        (b"<html><body><h1>Sign in</h1></body></html>", "HTML: Sign in"),
        (b"\xff\xfe\x00", "��"),
    ],
)
def test_a_body_that_is_not_json_is_named(content: bytes, reason: str) -> None:
    assert read(content) == Failure(f"an answer that is not JSON: {reason}")


def test_every_success_counts_and_a_byte_order_mark_does_not() -> None:
    assert read(b"\xef\xbb\xbf" + body("x"), status=201) == Answer("x")


@pytest.mark.parametrize(
    ("status", "content", "outcome"),
    [
        (400, b'{"error": {"message": "no\\nsuch\\u001b[31m"}}', Rejection("400: no such [31m")),
        (403, b'{"error": {"message": "flagged"}}', Rejection("403: flagged", forbidden=True)),
        (451, b'{"error": {"message": "sensitive words"}}', Rejection("451: sensitive words")),
        (422, b'{"detail": [{"loc": ["body"], "msg": "too long"}]}', Rejection("422: too long")),
        (
            429,
            b'{"error": {"message": "No money", "code": "insufficient_quota"}}',
            Rejection("429: No money (insufficient_quota)", stops=True),
        ),
        (
            400,
            b'[{"error": {"message": "API key not valid"}}]',
            Rejection("400: API key not valid"),
        ),  # Gemini
        (
            429,
            b'{"error": {"code": "1113", "message": "Insufficient balance"}}',  # Zhipu
            Rejection("429: Insufficient balance", stops=True),
        ),
        (503, b"<html><h1>Loading</h1></html>", Failure("503: Loading", busy=True, away=True)),
        (500, b"[" * 100_000, Failure("500: " + "[" * 200)),
        (0, b"timed out", Failure("timed out", away=True)),
    ],
)
def test_an_error_is_told_in_the_words_of_the_server(status: int, content: bytes, outcome: Outcome) -> None:
    assert read(content, status) == outcome


@pytest.mark.parametrize("score", ["NaN", "Infinity", "null", '"0.5"'])
def test_a_score_that_is_no_number_is_rejected(score: str) -> None:
    content = f'{{"data": [{{"probs": [{score}]}}], "usage": {{"prompt_tokens": 3}}}}'.encode()
    outcome = read_response(200, content, read_score)
    assert isinstance(outcome, Rejection)
    assert (outcome.reason.startswith("a score of "), outcome.prompt_tokens) == (True, 3)
