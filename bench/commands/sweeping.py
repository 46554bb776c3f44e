"""The runs of a sweep one after another: how far it is, what is left, and where its budget ends it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from bench.commands.series import Series
from bench.errors import BenchError
from bench.forecast.earlier import Earlier
from bench.forecast.remaining import Remaining
from bench.halving import halve, planned
from bench.report import wording
from bench.run.plan import Plan
from bench.run.prepared import prepare
from bench.store.results import Store
from bench.suites import Suite
from bench.tuning import Outcome, Search, tune

Record = dict[str, Any]


class BudgetSpent(Exception):
    """A trial that is not in the store has no time left: its search goes on another time."""


@dataclass(slots=True)
class Sweeping:
    """A sweep that is going on.

    budget: seconds after which nothing new begins; what the store has costs nothing. left_out: runs that were not
    begun, and searches that did not end, for want of time.
    """

    suite: Suite
    series: Series
    budget: float = math.inf
    clock: Callable[[], float] = monotonic
    done: int = 0
    left_out: list[str] = field(default_factory=list)
    _begun: float = field(init=False)
    _remaining: Remaining = field(init=False)
    _runs: list[Plan] = field(init=False)  # that are still ahead
    _trials: list[int] = field(init=False)  # still ahead of each search

    def __post_init__(self) -> None:
        results = self.series.home.results
        self._begun = self.clock()
        self._remaining = Remaining(Earlier(results, Store(results).records()))
        self._runs, self._trials = list(self.suite.plans), [planned(search) for search in self.suite.searches]

    def runs(self) -> list[Record]:
        """The records of the suite's runs that are stored or were carried out."""
        records = []
        for at, plan in enumerate(self.suite.plans, 1):
            if self._may_begin(plan):
                records.append(self._carry_out(self.series, plan, f"({at} of {len(self.suite.plans)})"))
            else:
                self.left_out.append(plan.name)
            self._runs.pop(0)
        return records

    def searches(self, series: Series) -> list[Outcome]:
        """What each search found that the budget did not end."""
        found = [self._search(at, search, series) for at, search in enumerate(self.suite.searches)]
        return [outcome for outcome in found if outcome is not None]

    @property
    def spent(self) -> float:
        """Seconds of this sweep so far."""
        return self.clock() - self._begun

    def summary(self) -> str:
        """What the budget left out, and how to go on."""
        named = ", ".join(self.left_out[:3]) + (", ..." if len(self.left_out) > 3 else "")
        return (
            f"the budget of {wording.duration(self.budget)} ends here: {wording.duration(self.spent)} spent, "
            f"{self.done} done, {len(self.left_out)} left ({named}). The same command goes on from here."
        )

    def _search(self, at: int, search: Search, series: Series) -> Outcome | None:
        def trial(plan: Plan, position: str) -> Record:
            if not self._may_begin(plan):
                raise BudgetSpent
            record = self._carry_out(series, plan, position)
            self._trials[at] = max(0, self._trials[at] - 1)
            return record

        try:
            return halve(search, trial) if search.halves else tune(search, trial)
        except BudgetSpent:
            self.left_out.append(f"the search of {search.name}")
            return None
        finally:
            self._trials[at] = 0

    def _may_begin(self, plan: Plan) -> bool:
        """Whether the run fits into what is left; one of unknown length may begin while anything is left."""
        if math.isinf(self.budget) or self.budget - self.spent > (self._remaining.seconds(plan) or 0.0):
            return True
        return self._remaining.is_stored(plan) and self._is_stored(plan)

    def _is_stored(self, plan: Plan) -> bool:
        """With its data and source as they are now."""
        try:
            return prepare(plan, self.series.home, self.series.display).stored(self.series.home.results) is not None
        except BenchError:
            return False

    def _carry_out(self, series: Series, plan: Plan, position: str) -> Record:
        if not self._remaining.is_stored(plan):
            self._tell()
        begun = self.clock()
        record = series.carry_out(plan, position)
        self._remaining = self._remaining.after(plan, record, self.clock() - begun)
        self.done += 1
        return record

    def _tell(self) -> None:
        ahead = [self._remaining.seconds_of_runs(self._runs)]
        for search, trials in zip(self.suite.searches, self._trials, strict=True):
            ahead += [self._remaining.seconds_of_trials(search, trials)] if trials else []
        left = None if None in ahead else sum(filter(None, ahead))
        total = self.done + len(self.left_out) + len(self._runs) + sum(self._trials)
        self.series.display.whole(self.done, total, left)
