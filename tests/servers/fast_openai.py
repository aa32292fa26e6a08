"""An OpenAI-compatible server that costs next to nothing, in its own process: for benchmarks and kills.

    python tests/servers/fast_openai.py --latency 0.2          prints its port, serves until it is killed
    GET /stats                                                 calls, repeats, refusals, most at once

Latencies are constant or, with --tail, lognormal. With --rate, calls above that rate (in bursts of --burst
seconds) are refused by 429; with --slots, calls above that many at once by 503. It keeps a hash of every
request that it answered.
"""

import argparse
import asyncio
import json
import random
import time

ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "lorem ipsum dolor sit amet " * 40},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 20, "completion_tokens": 200, "total_tokens": 220},
}


class Server:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.random = options, random.Random(0)
        self.seen: set[int] = set()
        self.stats = {"calls": 0, "answered": 0, "repeated": 0, "refused": 0, "peak": 0}
        self.in_flight = 0
        self.bucket, self.filled = 0.0, time.monotonic()

    def refused(self) -> int:
        """429 or 503, or 0: go on."""
        if self.options.rate:
            now = time.monotonic()
            self.bucket = min(
                self.options.rate * self.options.burst, self.bucket + (now - self.filled) * self.options.rate
            )
            self.filled = now
            if self.bucket < 1:
                return 429
            self.bucket -= 1
        return 503 if self.options.slots and self.in_flight >= self.options.slots else 0

    async def answer(self, body: bytes) -> tuple[int, bytes]:
        self.stats["calls"] += 1
        if status := self.refused():
            self.stats["refused"] += 1
            return status, b'{"error": {"message": "slow down"}}'
        self.in_flight += 1
        self.stats["peak"] = max(self.stats["peak"], self.in_flight)
        if (hashed := hash(body)) in self.seen:
            self.stats["repeated"] += 1
        self.seen.add(hashed)
        latency = self.options.latency
        await asyncio.sleep(
            min(20 * latency, latency * self.random.lognormvariate(-0.5, 1.0))
            if self.options.tail
            else latency
        )
        self.in_flight -= 1
        self.stats["answered"] += 1
        return 200, json.dumps(ANSWER).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-length:")
                    ),
                    0,
                )
                body = await reader.readexactly(length)
                status, content = (
                    (200, json.dumps(self.stats).encode())
                    if b"/stats" in head[:40]
                    else await self.answer(body)
                )
                more = (
                    f"Retry-After: {self.options.retry_after}\r\n"
                    if status != 200 and self.options.retry_after is not None
                    else ""
                )
                lines = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{more}"
                lines += f"Content-Length: {len(content)}\r\n\r\n"
                writer.write(lines.encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--tail", action="store_true")
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--burst", type=float, default=1.0)
    parser.add_argument("--slots", type=int, default=0)
    parser.add_argument("--retry-after", type=float)
    server = await asyncio.start_server(
        Server(parser.parse_args()).serve, "127.0.0.1", parser.parse_args().port, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
