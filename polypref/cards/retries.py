"""What can go wrong between us and the Hub: what passes is tried again, what does not is said in one line."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from polypref.errors import InputError

ATTEMPTS = 6
FIRST_PAUSE = 0.5  # seconds; doubled after each attempt, unless the Hub names another

T = TypeVar("T")


def patiently(attempt: Callable[[], T]) -> T:
    """Tries again what fails in passing. An attempt plans anew, so one whose answer was lost finds nothing left to do."""
    for n in range(ATTEMPTS - 1):
        try:
            return attempt()
        except Exception as error:
            pause = _pause(_beneath(error), FIRST_PAUSE * 2**n)
            if pause is None:
                raise
            time.sleep(pause)
    return attempt()


def _beneath(error: Exception) -> Exception:
    """What an upload's RuntimeError is about."""
    return (
        error.__cause__
        if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception)
        else error
    )


def _pause(error: Exception, otherwise: float) -> float | None:
    """Seconds to wait before another try; None where it would fail alike."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import LocalEntryNotFoundError

    if not isinstance(
        error, HTTPError | LocalEntryNotFoundError | json.JSONDecodeError | ConnectionError
    ):  # no JSON: from a failing proxy
        return None
    response = getattr(error, "response", None)
    if response is None:
        return otherwise
    if response.status_code not in (409, 412, 429) and response.status_code < 500:
        return None
    named = response.headers.get("Retry-After", "")
    return min(float(named), 60.0) if re.fullmatch(r"\d+(\.\d+)?", named) else otherwise


@contextmanager
def one_line(repo: str, revision: str | None) -> Iterator[None]:
    """Turns what the Hub's libraries raise into an InputError of one line, which holds neither addresses nor the token."""
    from httpx2 import HTTPError  # the library that huggingface_hub speaks HTTP with
    from huggingface_hub.errors import HFValidationError

    try:
        yield
    except InputError:
        raise
    except HFValidationError:
        raise InputError(
            f"{repo}: found neither a folder nor the name of a repository, expected ORG/NAME"
        ) from None
    except (HTTPError, OSError, RuntimeError) as error:
        raise InputError(f"{repo}: {_reason(_beneath(error), revision)}") from None
    except (
        ValueError
    ) as error:  # a card that the Hub refuses, an unknown config or split, an answer that is no JSON
        raise InputError(f"{repo}: {' '.join(str(error).split())}") from None


def _reason(error: Exception, revision: str | None) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    response = getattr(error, "response", None)
    match error:
        case GatedRepoError():
            return "gated: ask for access on its page, then run `hf auth login` or set HF_TOKEN"
        case RepositoryNotFoundError():
            return "found no such repository, or a private one that this token may not see (`hf auth login`, HF_TOKEN)"
        case RevisionNotFoundError():
            return f"found no revision {revision!r}"
    match response.status_code if response is not None else None:
        case None if isinstance(
            error, FileNotFoundError | RuntimeError
        ):  # DatasetNotFoundError, a loading script, Xet's upload
            return " ".join(str(error).split())
        case None if isinstance(error, OSError) and error.strerror:
            return f"{error.filename}: {error.strerror}"
        case None:
            return f"the Hub gave no answer ({type(error).__name__}); it is safe to try again"
        case 401:
            return "the Hub did not accept the token; run `hf auth login` or set HF_TOKEN"
        case 403:
            return "this token may not do that here; it needs the right to write to the repository"
        case status:
            said = (getattr(error, "server_message", None) or "").split("\n")[0]
            passing = "; it is safe to try again" if status in (412, 429) or status >= 500 else ""
            return f"the Hub answered {status}{f' ({said})' if said else ''}{passing}"
