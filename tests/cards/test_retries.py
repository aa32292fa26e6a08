"""Calls to the Hub: what is retried, and the one line that is left of an error."""

from json import JSONDecodeError

import pytest
from httpx2 import ConnectError, Request, Response
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from polypref.cards import retries
from polypref.cards.retries import call_hub
from polypref.errors import InputError, PolyprefError, Unavailable


def answered(status: int, **headers: str) -> HfHubHTTPError:
    response = Response(
        status, headers=headers, request=Request("POST", "http://hub/api/secret?token=hf_writer")
    )
    return HfHubHTTPError(
        f"{status} for url http://hub/api/secret?token=hf_writer",
        response=response,
        server_message="no room\nmore",
    )


def in_an_upload(cause: Exception) -> RuntimeError:
    """As huggingface_hub wraps what stopped a file."""
    error = RuntimeError("Error while uploading 'data/x.parquet' to the Hub.")
    error.__cause__ = cause
    return error


BACKOFF = [0.5, 1.0, 2.0, 4.0, 8.0]


@pytest.fixture(autouse=True)
def slept(monkeypatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(retries.time, "sleep", pauses.append)
    return pauses


@pytest.mark.parametrize(
    ("error", "pauses"),
    [
        (answered(503), BACKOFF),
        (answered(429, **{"Retry-After": "3"}), [3.0] * 5),
        (answered(429, **{"Retry-After": "3600"}), [60.0] * 5),
        (answered(429, **{"Retry-After": "0"}), [0.0] * 5),
        (answered(412), BACKOFF),
        (in_an_upload(answered(500)), BACKOFF),
        (ConnectError("reset"), BACKOFF),
        (ConnectionResetError("reset"), BACKOFF),
        (LocalEntryNotFoundError("cannot find the file in the cache"), BACKOFF),
        (JSONDecodeError("Expecting value", "<html>busy</html>", 0), BACKOFF),
        (answered(403), []),
        (in_an_upload(answered(403)), []),
        (RuntimeError("Dataset scripts are no longer supported"), []),
        (ValueError("not a card"), []),
    ],
    ids=str,
)
def test_transient_failures_are_retried_and_end_as_unavailable(
    slept, error: Exception, pauses: list[float]
) -> None:
    def attempt() -> None:
        raise error

    with pytest.raises(Unavailable if pauses else InputError):
        call_hub("acme/pairs", None, attempt)
    assert slept == pauses


def test_an_attempt_that_succeeds_ends_the_retries(slept) -> None:
    outcomes = [answered(503), ConnectError("reset"), "done"]

    def attempt() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert call_hub("acme/pairs", None, attempt) == "done"
    assert slept == [0.5, 1.0]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (answered(503), "the Hub answered 503 (no room); it is safe to run again"),
        (in_an_upload(answered(500)), "the Hub answered 500 (no room); it is safe to run again"),
        (answered(400), "the Hub answered 400 (no room)"),
        (answered(401), "the Hub did not accept the token; run `hf auth login` or set HF_TOKEN"),
        (
            ConnectError("http://hub/api/secret?token=hf_writer"),
            "no answer from the Hub (ConnectError); it is safe to run again",
        ),
        (OSError(28, "No space left on device", "cache/x"), "cache/x: No space left on device"),
        (RuntimeError("Dataset scripts are\nno longer supported"), "Dataset scripts are no longer supported"),
        (ValueError("metadata:\nwrong"), "metadata: wrong"),
    ],
    ids=str,
)
def test_one_line_without_addresses_and_tokens(error: Exception, line: str) -> None:
    def attempt() -> None:
        raise error

    with pytest.raises(PolyprefError) as raised:
        call_hub("acme/pairs", None, attempt)
    assert str(raised.value) == f"acme/pairs: {line}"
