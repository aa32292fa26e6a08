"""Any OpenAI-compatible chat server over HTTP: errors sorted into retry, give up and stop; the key from the environment only."""

import asyncio
import json
import os
import random
import time
from collections.abc import Callable
from typing import Any

from polypref.engines.base import Answer, Failure, Request
from polypref.engines.config import HttpGenerator
from polypref.engines.limiter import Limiter
from polypref.errors import InputError, Unavailable
from polypref.schemas import hash32

STOP = {401, 402, 403, 404, 405}  # the key, the account, the model or the address: no call can succeed
FINAL = {400, 413, 414, 415, 422}  # this request, always
BUSY = {429, 503}
PAUSE = 0.5  # seconds before the second try, doubled for each that follows
LOST = 64  # so many calls given up in a row, none answered between them: the server is away


class HttpEngine:
    """One model behind `base_url`. What may pass is tried again with growing pauses; then the call has failed for now."""

    def __init__(self, config: HttpGenerator, name: str) -> None:
        self.name, self.config = name, config
        self.fingerprint = hash32(config.identity())
        self.concurrency = config.concurrency
        self.price = config.price
        self.limiter = Limiter(config.concurrency)
        self._sampling = config.sampling.identity()
        self._session: Any = None  # opened by the first call in an event loop
        self._lost = 0

    async def generate(self, request: Request) -> Answer | Failure:
        """Raises InputError where no call can succeed: the key or the model is wrong, the server is away."""
        return await self.call("chat/completions", self._payload(request), _answer)

    async def call(
        self, path: str, payload: dict[str, Any], parse: Callable[[bytes], Answer | str]
    ) -> Answer | Failure:
        """Posts until there is an answer; `parse` says of a body that is none what is wrong with it."""
        reason, pause = "", 0.0
        for attempt in range(self.config.retries + 1):
            if attempt:
                await asyncio.sleep(pause)
            await self.limiter.acquire(first=attempt > 0)
            began, status, body, asked = time.monotonic(), 0, b"", None
            try:
                status, body, asked = await self._post(path, payload)
            finally:
                pause = (
                    asked if asked is not None else min(60.0, PAUSE * 2**attempt) * random.uniform(0.5, 1.0)
                )
                self.limiter.release(time.monotonic() - began, status == 200, status in BUSY, pause)
            if status == 200:
                answer = parse(body)
                if isinstance(answer, Answer):
                    self._lost = 0
                    return answer
                reason = answer
            else:
                reason = f"{status}: {_message(body)}" if status else _message(body)
            if status in STOP:
                where = f"{self.config.base_url}: {status} for model {self.config.model!r}, key {self.config.key_env}"
                raise InputError(f"{where}: {_message(body)}")
            if status in FINAL:
                return Answer(finish_reason="error", error=reason)
        self._lost += 1
        if self._lost >= LOST:
            raise Unavailable(
                f"{self.config.base_url}: the last {LOST} calls all failed: {reason}; run again when it is back"
            )
        return Failure(reason)

    def _payload(self, request: Request) -> dict[str, Any]:
        system = [{"role": "system", "content": self.config.system}] if self.config.system else []
        payload = {"model": self.config.model, "messages": [*system, *request.messages], **self._sampling}
        return payload | {"seed": request.sample} if request.sample else payload

    async def _post(self, path: str, payload: dict[str, Any]) -> tuple[int, bytes, float | None]:
        """Status (0 where the connection failed), body, and the seconds that the server asks to wait."""
        import aiohttp

        key = os.environ.get(self.config.key_env)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self.config.timeout),
                connector=aiohttp.TCPConnector(limit=0),
                headers={"Authorization": f"Bearer {key}"} if key else {},
            )
        try:
            async with self._session.post(
                f"{self.config.base_url.rstrip('/')}/{path}", json=payload
            ) as response:
                body, pause = await response.read(), _seconds(response.headers.get("Retry-After"))
                if key and response.status != 200:  # some servers repeat it
                    body = body.replace(key.encode(), f"${self.config.key_env}".encode())
                return response.status, body, pause
        except aiohttp.InvalidURL:
            raise InputError(
                f"{self.config.base_url}: not an address; expected http://HOST:PORT/v1"
            ) from None
        except TimeoutError:
            return 0, b"timed out", None
        except (aiohttp.ClientError, OSError) as error:
            return 0, (str(error) or type(error).__name__).encode(), None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session, self.limiter = None, Limiter(self.concurrency)


def _answer(body: bytes) -> Answer | str:
    """The first choice; what is wrong where the body is not an answer, which is worth another try."""
    try:
        content = json.loads(body)
    except ValueError:
        return "an answer that is not JSON"
    try:
        choice = content["choices"][0]
        text = choice["message"]["content"] or ""
        usage = content.get("usage") or {}
        tokens, prompt_tokens = int(usage.get("completion_tokens") or 0), int(usage.get("prompt_tokens") or 0)
    except (LookupError, TypeError, ValueError, AttributeError):
        return "an answer without a choice"
    reason = choice.get("finish_reason") or "stop"
    if reason == "content_filter":
        return Answer(finish_reason="error", error="content_filter", prompt_tokens=prompt_tokens)
    return Answer(text, "length" if reason == "length" else "stop", tokens, prompt_tokens=prompt_tokens)


def _message(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    try:
        error = json.loads(text)["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, LookupError, TypeError):
        pass
    return " ".join(text.split())[:200]


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds: a number, or a date."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
