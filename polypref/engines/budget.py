"""What calls cost, in money, tokens and hours, and when to stop. A budget is a work dir's, over all of its runs.

What was spent is added up from the answer logs, so a kill does not lose count. Calls that the server charged for and
that never got an answer (timeouts, cut connections) are not known here.
"""

import time
from types import TracebackType
from typing import Any, Self

from pydantic import Field

from polypref.config import Config, Operational
from polypref.errors import BudgetReached
from polypref.store.answers import AnswerLog
from polypref.store.storage import read_json, write_json
from polypref.store.workdir import Workdir

SAVE_SECONDS = 1.0
FIRST_CALLS = 8  # at once, before it is known what a call costs
UNITS = {"cost": ".4f", "tokens": ",.0f", "hours": ".2f"}


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
    """Counts what is spent in a work dir, kept in its spent.json: `with Meter(budget, workdir) as meter: …`."""

    def __init__(self, budget: Budget, workdir: Workdir) -> None:
        self.budget, self._path = budget, workdir.path / "spent.json"
        self._before = read_json(self._path)
        self._engines: dict[str, dict[str, Any]] = self._before.get("engines", {})

    def __enter__(self) -> Self:
        self._begun = self._saved = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._save()

    @property
    def cost(self) -> float:
        return float(sum(spent["cost"] for spent in self._engines.values()))

    @property
    def tokens(self) -> int:
        return int(sum(spent["tokens"] + spent["prompt_tokens"] for spent in self._engines.values()))

    @property
    def hours(self) -> float:
        return (float(self._before.get("seconds", 0.0)) + time.monotonic() - self._begun) / 3600

    def begin(self, engine: Any, log: AnswerLog) -> None:
        """An engine is about to be asked; what its log holds was spent, at today's price."""
        price = getattr(engine, "price", Price())
        self._engines[engine.fingerprint] = {
            "name": engine.name,
            "calls": len(log),
            **log.spent,
            "cost": price.of(log.spent["prompt_tokens"], log.spent["tokens"]),
        }

    def add(self, engine: Any, calls: int, tokens: int, prompt_tokens: int) -> float:
        """Count answers of an engine; return what they cost."""
        cost = getattr(engine, "price", Price()).of(prompt_tokens, tokens)
        spent = self._engines[engine.fingerprint]
        spent["calls"] += calls
        spent["tokens"] += tokens
        spent["prompt_tokens"] += prompt_tokens
        spent["cost"] += cost
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self._save()
        return float(cost)

    def affords(self, engine: Any, calls: int) -> bool:
        """Whether so many calls, new or under way, fit if they cost what calls did so far; before the first answer a few do."""
        return self._used_up(engine, calls) is None

    def check(self, engine: Any, calls: int = 1) -> None:
        """Raises BudgetReached where so many more calls do not fit."""
        if what := self._used_up(engine, calls):
            bound, so_far, unit = getattr(self.budget, f"max_{what}"), getattr(self, what), UNITS[what]
            raise BudgetReached(
                f"budget.max_{what} {bound:{unit}} is used up: {so_far:{unit}} spent; all answers are kept, a larger budget goes on"
            )

    def _used_up(self, engine: Any, calls: int) -> str | None:
        spent = self._engines[engine.fingerprint]
        ahead = calls / spent["calls"] if spent["calls"] else 0.0
        more = {
            "cost": ahead * spent["cost"],
            "tokens": ahead * (spent["tokens"] + spent["prompt_tokens"]),
            "hours": 0.0,
        }
        for what in UNITS:
            bound = getattr(self.budget, f"max_{what}")
            if bound is None:
                continue
            so_far = getattr(self, what)
            unknown = not spent["calls"] and what != "hours" and calls > FIRST_CALLS
            if unknown or so_far >= bound or so_far + more[what] > bound * (1 + 1e-9):
                return what
        return None

    def _save(self) -> None:
        self._saved = time.monotonic()
        write_json(self._path, {"engines": self._engines, "seconds": self.hours * 3600})
