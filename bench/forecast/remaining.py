"""How long the rest of a sweep will take, judged anew from every run that ends."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.forecast.earlier import Earlier
from bench.report.schedule import stored, training
from bench.run.plan import Plan
from bench.tuning import Search

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is known of the runs to come. earlier: the store's executions and this sweep's; trained: of which the
    artifact is there; took: wall seconds of each run of this sweep that was carried out."""

    earlier: Earlier
    trained: frozenset[tuple[str, ...] | None] = frozenset()
    took: tuple[float, ...] = ()

    def after(self, plan: Plan, record: Record, seconds: float) -> Remaining:
        """Once `plan` has ended, `seconds` after it began."""
        if any(one["run_id"] == record["run_id"] for one in self.earlier.records):
            return self  # the store had it
        earlier = dataclasses.replace(self.earlier, records=[*self.earlier.records, record])
        return Remaining(earlier, self.trained | {training(plan)}, (*self.took, seconds))

    def is_stored(self, plan: Plan) -> bool:
        """As far as names tell."""
        return stored(plan, self.earlier.records)

    def seconds(self, plan: Plan) -> float | None:
        """Of one run; None where no earlier run tells. A training that an earlier run of the sweep left is free."""
        known = self.earlier.of(plan)
        if known is None:
            return None
        free = ("train",) if training(plan) in self.trained else ()
        return known.cost.without(free).total_seconds.value

    def seconds_of_trials(self, search: Search, trials: int) -> float | None:
        """Of so many trials of a search, within its budget."""
        known = self.earlier.of(search.plan)
        one = known.cost.total_seconds.value if known else self._mean()
        return None if one is None else min(one * trials, search.seconds)

    def seconds_of_runs(self, plans: Sequence[Plan]) -> float | None:
        """Of all of them, one that nothing tells of as the mean of this sweep's; None before there is one."""
        total, ahead = 0.0, self
        for plan in plans:
            if self.is_stored(plan):
                continue
            one = ahead.seconds(plan)
            one = self._mean() if one is None else one
            if one is None:
                return None
            total += one
            ahead = dataclasses.replace(ahead, trained=ahead.trained | {training(plan)})
        return total

    def _mean(self) -> float | None:
        return statistics.mean(self.took) if self.took else None
