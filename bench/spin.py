"""An engine that only computes, to measure how a CPU-bound stage scales with workers."""

import hashlib
from collections.abc import Sequence

from polypref.engines.base import Answer, Request


class Spin:
    """An engine whose every answer takes about a quarter of a second of hashing."""

    name, fingerprint = "spin", "spin"

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        return [[place] for place in range(len(requests))]

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        answers = []
        for request in batch:
            digest = hashlib.pbkdf2_hmac("sha256", request.key("").encode(), b"salt", 300_000)
            answers.append(Answer(digest.hex()))
        return answers
