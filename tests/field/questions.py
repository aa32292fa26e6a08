"""Helpers of the field tests: a server's config, and a pool that asks the server questions."""

import asyncio
from pathlib import Path
from typing import Any

from polypref.engines.base import Answer, Request
from polypref.engines.config import HttpGenerator
from polypref.engines.http import HttpEngine
from polypref.engines.pool import PoolOptions, open_pool
from polypref.progress import Progress
from polypref.store.workdir import Workdir


def config(url: str, **fields: Any) -> HttpGenerator:
    defaults = {
        "kind": "http",
        "base_url": url,
        "model": "m",
        "retries": 1,
        "start_seconds": 0,
        "concurrency": 4,
    }
    return HttpGenerator.model_validate(defaults | fields)


def ask(engine: HttpGenerator, folder: Path, count: int = 8, **options: Any) -> list[Answer | None]:
    requests = [Request([{"role": "user", "content": f"question {number}"}]) for number in range(count)]

    async def go() -> list[Answer | None]:
        http = HttpEngine(engine, "m")
        pool = open_pool(http, workdir.open_log(http.fingerprint), PoolOptions(progress, **options))
        try:
            return await pool.ask(requests)
        finally:
            await pool.close()

    with Workdir(folder) as workdir, Progress("test", count) as progress:
        return asyncio.run(go())
