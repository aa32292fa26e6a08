"""Budgets: what calls cost in money, tokens and hours, and when to stop.

A budget covers all runs of a work dir. The sums come from the answer logs, so a kill loses no count. Calls
that the server charged for without answering them (timeouts, cut connections) are not counted.
"""

import time
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field

from polypref.config import Config, Operational
from polypref.errors import BudgetReached
from polypref.store.answers import AnswerLog
from polypref.store.storage import read_json, write_json
from polypref.store.workdir import Workdir

SAVE_SECONDS = 1.0
FIRST_CALLS = 8  # at once, until it is known what a call costs
FORMATS = {"cost": ".4f", "tokens": ",.0f", "hours": ".2f"}
ROUNDING = 1e-9  # the share by which an average cost times its calls may be more than their sum


class Price(Config):
    """Money for a million tokens, in the currency of your bill."""

    input: float = Field(0.0, ge=0)
    output: float = Field(0.0, ge=0)

    def of(self, prompt_tokens: int, tokens: int) -> float:
        return (prompt_tokens * self.input + tokens * self.output) / 1e6


class Budget(Config):
    """What a work dir may spend; None is no bound. Tokens are those read and those written."""

    max_cost: Operational[float | None] = Field(None, ge=0)
    max_tokens: Operational[int | None] = Field(None, ge=0)
    max_hours: Operational[float | None] = Field(None, ge=0)


class Meter:
    """Counts what a work dir spends and keeps it in spent.json: `with Meter(budget, workdir) as meter: …`."""

    def __init__(self, budget: Budget, workdir: Workdir) -> None:
        self._bounds: dict[str, float] = {}
        for name in FORMATS:
            bound = getattr(budget, f"max_{name}")
            if bound is not None:
                self._bounds[name] = bound
        self._path = workdir.path / "spent.json"
        saved = read_json(self._path)
        self._engines: dict[str, dict[str, Any]] = saved.get("engines", {})
        self._seconds_before = float(saved.get("seconds", 0.0))

    def __enter__(self) -> Self:
        self._began = self._saved_at = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        self._save()

    @property
    def cost(self) -> float:
        return float(sum(spent["cost"] for spent in self._engines.values()))

    @property
    def tokens(self) -> int:
        return int(sum(spent["tokens"] + spent["prompt_tokens"] for spent in self._engines.values()))

    @property
    def hours(self) -> float:
        return (self._seconds_before + time.monotonic() - self._began) / 3600

    def begin(self, engine: Any, log: AnswerLog) -> None:
        """Count what an engine's log holds, at today's price, before the engine is asked."""
        price = getattr(engine, "price", Price())
        self._engines[engine.fingerprint] = {
            "name": engine.name,
            "calls": len(log),
            **log.spent,
            "cost": price.of(log.spent["prompt_tokens"], log.spent["tokens"]),
        }

    def add(self, engine: Any, new: Mapping[str, int]) -> float:
        """Count the calls, tokens and prompt_tokens of an engine's new answers; return what they cost."""
        cost: float = getattr(engine, "price", Price()).of(new["prompt_tokens"], new["tokens"])
        spent = self._engines[engine.fingerprint]
        for name in ("calls", "tokens", "prompt_tokens"):
            spent[name] += new[name]
        spent["cost"] += cost
        if time.monotonic() - self._saved_at > SAVE_SECONDS:
            self._save()
        return cost

    def affords(self, engine: Any, calls: int) -> bool:
        """Tell whether `calls` more calls, those under way included, fit at the average cost so far.

        Before the first answer a few do, as a server is asked for many at once.
        """
        is_unknown = self._engines[engine.fingerprint]["calls"] == 0
        if is_unknown and calls > FIRST_CALLS and {"cost", "tokens"} & set(self._bounds):
            return False
        return self._reached(engine, calls) is None

    def check(self, engine: Any, calls: int = 1) -> None:
        """Raises BudgetReached if `calls` more calls do not fit."""
        message = self._reached(engine, calls)
        if message:
            raise BudgetReached(f"{message}; all answers are kept, raise it and run again")

    def _reached(self, engine: Any, calls: int) -> str | None:
        """Say which budget is reached, as `calls` more calls do not fit in it; None if they fit."""
        if not self._bounds:  # asked twice a call
            return None
        spent = self._engines[engine.fingerprint]
        ratio = calls / spent["calls"] if spent["calls"] else 0.0
        tokens = spent["tokens"] + spent["prompt_tokens"]
        expected = {"cost": ratio * spent["cost"], "tokens": ratio * tokens, "hours": 0.0}
        for name, bound in self._bounds.items():
            more, so_far = expected[name], getattr(self, name)
            if so_far < bound and so_far + more <= bound * (1 + ROUNDING):
                continue
            unit = FORMATS[name]
            message = f"budget.max_{name} {bound:{unit}} is used up: {so_far:{unit}} spent"
            if calls > 1 and so_far < bound:
                message += f", and {calls} more calls would take about {more:{unit}}"
            return message
        return None

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        write_json(self._path, {"engines": self._engines, "seconds": self.hours * 3600})
