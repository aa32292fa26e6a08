"""What is tried again and what is not, and what a person reads of it."""

import pytest
from httpx2 import ConnectError, Request, Response
from huggingface_hub.errors import HfHubHTTPError

from polypref.cards import retries
from polypref.errors import InputError


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


@pytest.mark.parametrize(
    ("error", "pauses"),
    [
        (answered(503), [0.5, 1.0, 2.0, 4.0, 8.0]),
        (answered(429, **{"Retry-After": "3"}), [3.0] * 5),
        (answered(429, **{"Retry-After": "3600"}), [60.0] * 5),
        (answered(412), [0.5, 1.0, 2.0, 4.0, 8.0]),
        (in_an_upload(answered(500)), [0.5, 1.0, 2.0, 4.0, 8.0]),
        (ConnectError("reset"), [0.5, 1.0, 2.0, 4.0, 8.0]),
        (ConnectionResetError("reset"), [0.5, 1.0, 2.0, 4.0, 8.0]),
        (answered(403), []),
        (in_an_upload(answered(403)), []),
        (RuntimeError("Dataset scripts are no longer supported"), []),
        (ValueError("not a card"), []),
    ],
    ids=str,
)
def test_what_passes_is_tried_again(monkeypatch, error: Exception, pauses: list[float]) -> None:
    slept: list[float] = []
    monkeypatch.setattr(retries.time, "sleep", slept.append)

    def attempt() -> None:
        raise error

    with pytest.raises(type(error)):
        retries.patiently(attempt)
    assert slept == pauses


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (answered(503), "the Hub answered 503 (no room); it is safe to try again"),
        (in_an_upload(answered(500)), "the Hub answered 500 (no room); it is safe to try again"),
        (answered(400), "the Hub answered 400 (no room)"),
        (answered(401), "the Hub did not accept the token; run `hf auth login` or set HF_TOKEN"),
        (
            ConnectError("http://hub/api/secret?token=hf_writer"),
            "the Hub gave no answer (ConnectError); it is safe to try again",
        ),
        (RuntimeError("Dataset scripts are\nno longer supported"), "Dataset scripts are no longer supported"),
        (ValueError("metadata:\nwrong"), "metadata: wrong"),
    ],
    ids=str,
)
def test_one_line_without_addresses_and_tokens(error: Exception, line: str) -> None:
    with pytest.raises(InputError) as raised, retries.one_line("acme/pairs", None):
        raise error
    assert str(raised.value) == f"acme/pairs: {line}"
