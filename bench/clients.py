"""The two clients that bench/engines.py compares, each in a process of its own: `python -m bench.clients bare|polypref …`."""

import argparse
import asyncio
import json
import resource
import time
from pathlib import Path
from typing import Any


async def bare(url: str, concurrency: int, max_tokens: int, prompts: Path) -> dict[str, Any]:
    """Nothing but aiohttp: so many workers that post and parse. What no client can beat."""
    import aiohttp

    todo = iter([json.loads(line)["prompt"] for line in prompts.open(encoding="utf-8")])
    tokens = 0

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal tokens
        for prompt in todo:
            messages = [{"role": "user", "content": prompt}]
            payload = {
                "model": "m",
                "messages": messages,
                "temperature": 0.3,
                "top_p": 0.75,
                "max_tokens": max_tokens,
            }
            async with session.post(f"{url}/chat/completions", json=payload) as response:
                tokens += (await response.json())["usage"]["completion_tokens"]

    began = time.monotonic()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(worker(session) for _ in range(concurrency)))
    return {"seconds": time.monotonic() - began, "tokens": tokens}


def polypref(url: str, concurrency: int, max_tokens: int, prompts: Path) -> dict[str, Any]:
    """`polypref complete`, its journal on."""
    import aiohttp  # noqa: F401 - loaded before the clock starts, as above

    from polypref.builders.tables.complete import complete_table
    from polypref.builders.tables.read import Table
    from polypref.engines.config import HttpGenerator, Sampling
    from polypref.store.workdir import Workdir

    sampling = Sampling(temperature=0.3, top_p=0.75, max_tokens=max_tokens)
    config = HttpGenerator(kind="http", base_url=url, model="m", concurrency=concurrency, sampling=sampling)
    began = time.monotonic()
    with Workdir(prompts.parent / "work") as workdir:
        complete_table(Table(path=prompts, text="prompt"), prompts.parent / "out.jsonl", config, workdir)
    seconds = time.monotonic() - began
    answers = [json.loads(line)["tokens"] for line in (prompts.parent / "out.jsonl").open(encoding="utf-8")]
    return {"seconds": seconds, "tokens": sum(answers)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=("bare", "polypref"))
    parser.add_argument("url")
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--max-tokens", type=int, default=1024)
    args = parser.parse_args()
    given = args.url, args.concurrency, args.max_tokens, args.prompts
    result = asyncio.run(bare(*given)) if args.client == "bare" else polypref(*given)
    result["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result))
