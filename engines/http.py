"""Any OpenAI-compatible chat server over HTTP: errors sorted into retry, give up and stop; the key from the environment only."""

import asyncio
import json
import os
import random
from typing import Any

from cards.errors import InputError
from cards.tables import hash16
from engines.base import Answer, Request
from engines.config import HttpGenerator


class Http:
    """One model behind `base_url`. Transient errors are tried again with growing pauses; then the call failed for now (None)."""

    def __init__(self, config: HttpGenerator, name: str) -> None:
        self.name, self.config = name, config
        self.fingerprint = hash16(config.identity())
        self.concurrency = config.concurrency
        self._session: Any = None  # opened by the first call in an event loop, with its slots
        self._slots = asyncio.Semaphore(config.concurrency)

    async def generate(self, request: Request) -> Answer | None:
        """Raises InputError where no call can succeed: the key or the model is wrong."""
        async with self._slots:
            for attempt in range(self.config.retries + 1):
                status, body, wait = await self._post(request)
                if status == 200 and (answer := _answer(body)) is not None:
                    return answer
                if status in (401, 403, 404):
                    raise InputError(
                        f"{self.config.base_url}: {status} for model {self.config.model!r}, key {self.config.key_env}: {_message(body)}"
                    )
                if status in (400, 413, 422):
                    return Answer(finish_reason="error", error=f"{status}: {_message(body)}")
                if attempt < self.config.retries:
                    await asyncio.sleep(wait if wait is not None else min(60.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.0))
        return None

    async def _post(self, request: Request) -> tuple[int, str, float | None]:
        """Status (0 where the connection failed), body, and the seconds that the server asks to wait."""
        import aiohttp

        if self._session is None:
            key = os.environ.get(self.config.key_env)
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self.config.timeout),
                connector=aiohttp.TCPConnector(limit=0),
                headers={"Authorization": f"Bearer {key}"} if key else {},
            )
        system = [{"role": "system", "content": self.config.system}] if self.config.system else []
        payload = {"model": self.config.model, "messages": [*system, *request.messages], **self.config.sampling.identity()}
        if request.sample:
            payload["seed"] = request.sample
        try:
            async with self._session.post(f"{self.config.base_url.rstrip('/')}/chat/completions", json=payload) as response:
                return response.status, await response.text(errors="replace"), _seconds(response.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return 0, str(error), None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session, self._slots = None, asyncio.Semaphore(self.concurrency)


def _answer(body: str) -> Answer | None:
    """The first choice; None where the body is not an answer, which is worth another try."""
    try:
        content = json.loads(body)
        choice = content["choices"][0]
        text = choice["message"]["content"] or ""
    except (ValueError, LookupError, TypeError):
        return None
    reason = choice.get("finish_reason") or "stop"
    if reason == "content_filter":
        return Answer(finish_reason="error", error="content_filter")
    usage = content.get("usage") or {}
    return Answer(text, "length" if reason == "length" else "stop", int(usage.get("completion_tokens") or 0))


def _message(body: str) -> str:
    try:
        error = json.loads(body)["error"]
        body = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, LookupError, TypeError):
        pass
    return " ".join(body.split())[:200]


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None
