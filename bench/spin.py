"""An engine that only computes, for measuring how a CPU-bound stage spreads over workers."""

import hashlib
from collections.abc import Sequence

from polypref.engines.base import Answer, Request


class Spin:
    """Hashes for about a quarter of a second a request."""

    name, fingerprint = "spin", "spin"

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        return [[i] for i in range(len(requests))]

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        return [
            Answer(hashlib.pbkdf2_hmac("sha256", request.key("").encode(), b"s", 300_000).hex())
            for request in batch
        ]
