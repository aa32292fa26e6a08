"""A stage run by itself: its requests are answered by one engine through the pool, as in a build."""

from typing import TypeVar

from polypref.engines.base import Engine
from polypref.engines.pool import ask_engine
from polypref.store.answers import AnswerLog
from polypref.store.stages import Asking

T = TypeVar("T")


def run_stage(work: Asking[T], engine: Engine, log: AnswerLog) -> T:
    """Return what a stage's generator returns."""
    try:
        requests = next(work)
        while True:
            requests = work.send(ask_engine(engine, requests, log))
    except StopIteration as stop:
        result: T = stop.value
        return result
