"""An OpenAI-compatible chat server for tests: real HTTP on loopback, counted, with faults on request.

with OpenAIServer(reply=lambda body: "hello") as server:
    server.fault(status=503, times=2)
    … base_url=server.url …
    assert len(server.calls) == 3
"""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Fault:
    """What happens to the next `times` calls.

    A status with a body, an answer that is not one or never comes, or a connection closed (`cut`) or reset
    (`cut` and `reset`) in the middle of the body.
    """

    status: int = 200
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"error": {"message": "injected"}}'
    cut: bool = False
    reset: bool = False
    hang: bool = False


def last_words(body: dict[str, Any]) -> str:
    return f"answer to: {body['messages'][-1]['content']}"


class OpenAIServer:
    """`calls` are the parsed bodies of all chat requests; `answered` those that were answered well."""

    def __init__(
        self,
        reply: Callable[[dict[str, Any]], "str | Fault"] = last_words,
        delay: float = 0.0,
        finish_reason: str = "stop",
        port: int = 0,
        prompt_tokens: int = 0,
    ) -> None:
        self.reply, self.delay, self.finish_reason, self.port, self.prompt_tokens = (
            reply,
            delay,
            finish_reason,
            port,
            prompt_tokens,
        )
        self.calls: list[dict[str, Any]] = []
        self.answered: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []  # as asked for: a whole URL where the server is a proxy
        self.faults: list[Fault | None] = []  # what happens to the next calls; None is nothing
        self.in_flight = self.peak = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def fault(self, **how: Any) -> None:
        self.faults.append(Fault(**how))

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=4096), self._loop
        ).result()
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                self.paths.append(head.split(" ", 2)[1])
                length = int({k.lower(): v for k, v in headers.items()}.get("content-length", 0))
                body = json.loads(await reader.readexactly(length))
                status, more, text, cut = await self._answer(body, headers)
                content = text.encode()
                lines = [
                    f"HTTP/1.1 {status} X",
                    "Content-Type: application/json",
                    f"Content-Length: {len(content)}",
                ]
                lines += [f"{name}: {value}" for name, value in more.items()]
                writer.write(
                    "\r\n".join(lines).encode()
                    + b"\r\n\r\n"
                    + (content[: len(content) // 2] if cut else content)
                )
                await writer.drain()
                if cut:
                    if cut.reset:
                        linger = struct.pack("ii", 1, 0)
                        writer.get_extra_info("socket").setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, linger
                        )
                        await asyncio.sleep(0.01)  # until the half body has been read
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, body: dict[str, Any], headers: dict[str, str]
    ) -> tuple[int, dict[str, str], str, Fault | None]:
        self.calls.append(body)
        self.headers.append(headers)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        await asyncio.sleep(self.delay)
        self.in_flight -= 1
        fault = self.faults[0] if self.faults else None
        if self.faults and (fault is None or fault.times == 1):
            self.faults.pop(0)
        if fault:
            fault.times -= 1
            if fault.hang:
                await asyncio.sleep(3600)
            if not fault.cut:
                return fault.status, fault.headers, fault.body, None
        text = self.reply(body)
        if isinstance(text, Fault):
            return text.status, text.headers, text.body, None
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": self.finish_reason,
        }
        if not fault:
            self.answered.append(body)
        usage = {"prompt_tokens": self.prompt_tokens, "completion_tokens": len(text.split())}
        answer = {"object": "chat.completion", "choices": [choice], "usage": usage}
        return 200, {}, json.dumps(answer), fault
