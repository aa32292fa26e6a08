"""Chat servers with an OpenAI-compatible API. Errors are retried, kept as answers, or stop the run."""

import asyncio
import json
import os
import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from polypref.engines.base import Answer, Failure, Request
from polypref.engines.config import HttpGenerator
from polypref.engines.limiter import Limiter
from polypref.errors import InputError, Unavailable
from polypref.schemas import hash32

STOP = {401, 402, 403, 404, 405}  # the key, the account, the model or the address: no call can succeed
FINAL = {400, 413, 414, 415, 422}  # this request fails every time
BUSY = {429, 503}
PAUSE = 0.5  # seconds before the second try, doubled for each that follows
LONGEST_PAUSE = 60.0
LOST = 64  # calls given up in a row, none answered between them, after which the server counts as away


class Response(NamedTuple):
    """A server's response; status 0 where the connection failed, with the reason as the body."""

    status: int
    body: bytes
    pause: float | None = None  # seconds that the server asks to wait


class HttpEngine:
    """One model behind `base_url`. The key is read from the environment and written nowhere."""

    def __init__(self, config: HttpGenerator, name: str) -> None:
        self.name, self.config = name, config
        self.fingerprint = hash32(config.identity())
        self.concurrency = config.concurrency
        self.price = config.price
        self.limiter = Limiter(config.concurrency)
        self._sampling = config.sampling.identity()
        self._session: Any = None  # opened by the first call, in its event loop
        self._given_up = 0  # calls, since the last answer

    async def generate(self, request: Request) -> Answer | Failure:
        """Return the answer, or why the call failed for now.

        Raises InputError if the key, the model or the address is wrong, Unavailable if the server is away.
        """
        system = [{"role": "system", "content": self.config.system}] if self.config.system else []
        messages = [*system, *request.messages]
        payload = {"model": self.config.model, "messages": messages, **self._sampling}
        if request.sample:
            payload["seed"] = request.sample
        return await self.call("chat/completions", payload, read_completion)

    async def call(
        self, path: str, payload: dict[str, Any], read: Callable[[bytes], Answer | str]
    ) -> Answer | Failure:
        """Post until there is an answer or no try is left.

        `read` returns the answer in a response's body, or what is wrong with the body.
        """
        reason, pause = "", 0.0
        for attempt in range(self.config.retries + 1):
            if attempt:
                await asyncio.sleep(pause)
            await self.limiter.acquire(first=attempt > 0)
            pause = min(LONGEST_PAUSE, PAUSE * 2**attempt) * random.uniform(0.5, 1.0)
            began, response = time.monotonic(), Response(0, b"")
            try:
                response = await self._post(path, payload)
            finally:
                if response.pause is not None:
                    pause = response.pause
                seconds, busy = time.monotonic() - began, response.status in BUSY
                self.limiter.release(seconds, response.status == 200, busy, pause)
            answer = self._read(response, read)
            if isinstance(answer, Answer):
                return answer
            reason = answer
        self._given_up += 1
        if self._given_up >= LOST:
            raise Unavailable(
                f"{self.config.base_url}: the last {LOST} calls all failed: {reason}; "
                "run again when it is back"
            )
        return Failure(reason)

    def _read(self, response: Response, read: Callable[[bytes], Answer | str]) -> Answer | str:
        """Return the answer in a response, or why there is none this time.

        Raises InputError if no other try can help.
        """
        status, body = response.status, response.body
        if status == 200:
            answer = read(body)
            if isinstance(answer, Answer):
                self._given_up = 0
            return answer
        if status == 0:
            return _message(body)
        if status in STOP:
            server, model, key = self.config.base_url, self.config.model, self.config.key_env
            raise InputError(f"{server}: {status} for model {model!r}, key {key}: {_message(body)}")
        reason = f"{status}: {_message(body)}"
        return Answer(finish_reason="error", error=reason) if status in FINAL else reason

    async def _post(self, path: str, payload: dict[str, Any]) -> Response:
        import aiohttp

        key = os.environ.get(self.config.key_env)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self.config.timeout),
                connector=aiohttp.TCPConnector(limit=0),  # no limit of its own: the limiter's is enough
                headers={"Authorization": f"Bearer {key}"} if key else {},
            )
        url = f"{self.config.base_url.rstrip('/')}/{path}"
        try:
            async with self._session.post(url, json=payload) as response:
                body = await response.read()
                if key and response.status != 200:  # some servers repeat the key in their errors
                    body = body.replace(key.encode(), f"${self.config.key_env}".encode())
                return Response(response.status, body, _seconds(response.headers.get("Retry-After")))
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise InputError(
                f"{self.config.base_url}: not an address; expected http://HOST:PORT/v1"
            ) from None
        except TimeoutError:
            return Response(0, b"timed out")
        except (aiohttp.ClientError, OSError) as error:
            return Response(0, (str(error) or type(error).__name__).encode())

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session, self.limiter = None, Limiter(self.concurrency)


def read_completion(body: bytes) -> Answer | str:
    """Return the first choice of a chat completion, or what is wrong with a body that has none."""
    try:
        content = json.loads(body)
    except ValueError:
        return "an answer that is not JSON"
    try:
        choice = content["choices"][0]
        text = choice["message"]["content"] or ""
        usage = content.get("usage") or {}
        tokens = int(usage.get("completion_tokens") or 0)
        prompt_tokens = int(usage.get("prompt_tokens") or 0)
    except (LookupError, TypeError, ValueError, AttributeError):
        return "an answer without a choice"
    reason = choice.get("finish_reason") or "stop"
    if reason == "content_filter":
        return Answer(finish_reason="error", error="content_filter", prompt_tokens=prompt_tokens)
    return Answer(text, "length" if reason == "length" else "stop", tokens, prompt_tokens=prompt_tokens)


def _message(body: bytes) -> str:
    """Return the message in an error's body, or the body, as one short line."""
    text = body.decode("utf-8", "replace")
    try:
        error = json.loads(text)["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, LookupError, TypeError):
        pass  # not JSON, or of another shape
    return " ".join(text.split())[:200]


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks to wait: it holds a number or a date."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass  # a date
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
