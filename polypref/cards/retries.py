"""Calls to the Hub: transient failures are retried, everything else becomes an error of one line.

The line holds neither addresses nor the token, which the Hub's own messages may contain.
"""

import json
import re
import time
from collections.abc import Callable
from typing import TypeVar

from polypref.errors import InputError, PolyprefError, Unavailable

ATTEMPTS = 6
FIRST_PAUSE = 0.5  # seconds; doubled after each attempt, unless the Hub says how long to wait
LONGEST_PAUSE = 60.0  # seconds; a Retry-After of an hour is not waited for
LOG_IN = "run `hf auth login` or set HF_TOKEN"

T = TypeVar("T")


def call_hub(repo: str, revision: str | None, attempt: Callable[[], T]) -> T:
    """Return what `attempt` returns, calling it again after transient failures.

    An attempt to publish has to plan anew each time: after a commit whose answer was lost, it finds
    nothing left to do.

    Raises InputError for what would fail again, and Unavailable for what still fails after all attempts; the
    messages name `repo` and `revision`.
    """
    from httpx2 import HTTPError  # the library that huggingface_hub speaks HTTP with
    from huggingface_hub.errors import RevisionResolutionError

    failures = 0
    while True:
        try:
            return attempt()
        except PolyprefError:
            raise
        except (HTTPError, OSError, RuntimeError, ValueError, RevisionResolutionError) as error:
            cause = _cause(error)
            failures += 1
            if failures == ATTEMPTS or not _is_transient(cause) or _was_retried(cause):
                raise _one_line_error(cause, repo, revision) from None
        pause = _retry_after(cause)
        time.sleep(FIRST_PAUSE * 2 ** (failures - 1) if pause is None else pause)


def _cause(error: Exception) -> Exception:
    """Return the error that stopped an upload, which huggingface_hub wraps in a RuntimeError."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error


def _is_transient(error: Exception) -> bool:
    from httpx2 import HTTPError
    from huggingface_hub import is_offline_mode
    from huggingface_hub.errors import LocalEntryNotFoundError, RevisionResolutionError

    if is_offline_mode():
        return False
    status = _status(error)
    if status is not None:
        # 409 and 412: another commit came first.
        return status in (409, 412, 429) or status >= 500
    # A failing proxy answers in HTML, where JSON is expected.
    transient = (HTTPError, LocalEntryNotFoundError, RevisionResolutionError, ConnectionError)
    return isinstance(error, (*transient, json.JSONDecodeError))


def _was_retried(error: Exception) -> bool:
    """Return whether snapshot_download has waited for the Hub already: 23 seconds, in five retries."""
    from httpx2 import TransportError
    from huggingface_hub.errors import LocalEntryNotFoundError

    return isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, TransportError)


def _status(error: Exception) -> int | None:
    """Return the HTTP status that the Hub answered with; None if it did not answer."""
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def _retry_after(error: Exception) -> float | None:
    """Return the seconds that the Hub asks to wait for, if it names a number."""
    response = getattr(error, "response", None)
    value = "" if response is None else response.headers.get("Retry-After", "")
    return min(float(value), LONGEST_PAUSE) if re.fullmatch(r"\d+(\.\d+)?", value) else None


def _one_line_error(error: Exception, repo: str, revision: str | None) -> PolyprefError:
    """Return the error to raise in place of one that the Hub's libraries raised."""
    description = _describe(error, revision)
    if _is_transient(error):
        return Unavailable(f"{repo}: {description}; it is safe to run again")
    if isinstance(error, OSError) and error.strerror and not isinstance(error, FileNotFoundError):
        return Unavailable(f"{repo}: {error.filename}: {error.strerror}")
    return InputError(f"{repo}: {description}")


def _describe(error: Exception, revision: str | None) -> str:
    from huggingface_hub import is_offline_mode
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
        RevisionResolutionError,
    )

    match error:
        case ConnectionError() | LocalEntryNotFoundError() | RevisionResolutionError() if is_offline_mode():
            at = f" at revision {revision!r}" if revision else ""
            return f"not in the cache{at}, and HF_HUB_OFFLINE is set; load it once with the Hub in reach"
        case HFValidationError():
            return "neither a folder nor a repository's name; expected ORG/NAME"
        case GatedRepoError():
            return f"access is gated; request it on the repository's page, then {LOG_IN}"
        case RepositoryNotFoundError():
            return f"no such repository, or a private one that this token cannot read; {LOG_IN}"
        case RevisionNotFoundError():
            return f"no revision {revision!r}"
    match _status(error):
        case None if _is_transient(error):
            return f"no answer from the Hub ({type(error).__name__})"
        case None:
            # An unknown config or split, a card that the Hub refuses, a dataset with a loading script.
            return " ".join(str(error).split())
        case 401:
            return f"the Hub did not accept the token; {LOG_IN}"
        case 403:
            return "the token does not allow this; publishing needs write access to the repository"
        case status:
            # The first line of the Hub's explanation, in brackets.
            message = (getattr(error, "server_message", None) or "").split("\n")[0]
            return f"the Hub answered {status}{f' ({message})' if message else ''}"
