"""An OpenAI-compatible server that costs next to nothing, in its own process: for benchmarks and kills.

    python tests/servers/fast_openai.py --latency 0.2          prints its port, serves until it is killed
    GET /stats                                                 calls, repeats, refusals, most at once

Latencies are constant or, with --tail, lognormal. With --rate, calls above that rate (in bursts of --burst
seconds) are refused by 429; with --slots, calls above that many at once by 503. It keeps a hash of every
request that it answered.
Answers are filler or, with --prose, 900 characters of English that differ by call and pass every filter.
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

# Twelve of them, in any order, are an answer.
PROSE = (
    "The river rises in the hills to the north of the town and reaches the sea after forty miles.",
    "Most of the houses along the old road were built by weavers who came from the coast.",
    "A small museum near the bridge keeps their looms, their letters and a few faded maps.",
    "In spring the meadows are under water for weeks, and cranes stop there on their way home.",
    "Farmers move the cattle to higher ground before the first heavy rain of the year.",
    "The railway arrived late, so the market lost many of its traders to the next valley.",
    "Today a slow train still runs twice a day, mostly for pupils and for people who hike.",
    "If you have only one afternoon, walk from the station to the mill and back by the canal.",
    "The path is flat and shaded, and there are benches wherever the view opens.",
    "Bring water, because the only café on the way opens when its owner feels like it.",
    "Local bread is dark and sour, and it keeps for a week if you wrap it in a cloth.",
    "Children like the tower best, since every step is painted in a different colour.",
    "Nobody knows exactly who gave the order to paint it, or what it was meant to say.",
    "At dusk the lamps are lit one after another by a man with a very long pole.",
    "He says that electric light would be cheaper, but that nobody would come to see it.",
    "Winter is quiet; snow closes the pass, and the inn serves soup to whoever is left.",
)


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
        if self.options.prose:
            return 200, self.prose()
        return 200, json.dumps(ANSWER).encode()

    def prose(self) -> bytes:
        message = {"role": "assistant", "content": " ".join(self.random.sample(PROSE, 12))}
        return json.dumps({**ANSWER, "choices": [{**ANSWER["choices"][0], "message": message}]}).encode()

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
    parser.add_argument("--prose", action="store_true")
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
