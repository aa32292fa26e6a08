"""Budgets with engines in this process, whose batches are larger than the few first calls of a server."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from polypref.engines.base import Answer, Request
from polypref.engines.budget import Budget, Meter
from polypref.engines.pool import PoolOptions, open_pool
from polypref.errors import BudgetReached
from polypref.store.workdir import Workdir


class Batches:
    """An engine in this process that answers ten requests at once, each by ten tokens."""

    name, fingerprint = "batches", "f"

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        return [list(range(start, start + 10)) for start in range(0, len(requests), 10)]

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        return [Answer("x", tokens=10) for _ in batch]


def ask(folder: Path, budget: Budget) -> list[Answer | None]:
    import asyncio

    requests = [Request([{"role": "user", "content": f"question {number}"}]) for number in range(50)]
    with Workdir(folder) as workdir, Meter(budget, workdir) as meter:
        pool = open_pool(Batches(), workdir.open_log("f"), PoolOptions(meter=meter))
        return asyncio.run(pool.ask(requests))


@pytest.mark.parametrize("budget", [Budget(max_tokens=500), Budget(max_cost=1.0), Budget(max_hours=1.0)])
def test_a_first_batch_of_more_than_a_few_rows_is_no_reason_to_stop(tmp_path: Path, budget: Budget) -> None:
    assert len([answer for answer in ask(tmp_path, budget) if answer]) == 50


def test_the_message_names_the_bound_and_what_the_next_batch_would_take(tmp_path: Path) -> None:
    message = (
        r"^budget\.max_tokens 250 is used up: 200 spent, and 10 more calls would take about 100; "
        r"all answers are kept, raise it and run again$"
    )
    for _ in range(2):
        with pytest.raises(BudgetReached, match=message):
            ask(tmp_path, Budget(max_tokens=250))
    assert len(ask(tmp_path, Budget(max_tokens=500))) == 50


def test_a_budget_of_nothing_stops_before_the_first_batch(tmp_path: Path) -> None:
    with pytest.raises(
        BudgetReached, match=r"^budget\.max_tokens 0 is used up: 0 spent; all answers are kept"
    ):
        ask(tmp_path, Budget(max_tokens=0))
