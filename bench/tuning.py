"""Equal tuning: a seeded random search with the same budget of trials and seconds for every method, on validation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np

from bench.errors import UnknownName, UsageError
from bench.params import Parameter, convert
from bench.run.plan import Plan

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """What a search draws a parameter from: `values`, or low to high (inclusive), on a log scale where `log`."""

    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    def draw(self, rng: np.random.Generator) -> Any:
        """One value, each equally likely (on its scale)."""
        if self.values:
            return self.values[int(rng.integers(len(self.values)))]
        if self.whole and not self.log:
            return int(rng.integers(int(self.low), int(self.high) + 1))
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        drawn = float(rng.uniform(low, high))
        value = math.exp(drawn) if self.log else drawn
        value = min(max(value, self.low), self.high)
        return round(value) if self.whole else float(f"{value:.4g}")

    def __str__(self) -> str:
        if self.values:
            return " | ".join(map(str, self.values))
        return f"{self.low:g} to {self.high:g}" + (" (log)" if self.log else "")


def declared_range(parameter: Parameter) -> Range | None:
    """The range that a parameter's `sweep` declares; None without one: low and high say what is allowed, not what is
    worth trying.

    A float is drawn between the least and the greatest value, on a log scale where they span a factor of ten or the
    parameter asks for it; anything else is one of the values.
    """
    said = parameter.declaration
    if not said.sweep:
        return None
    if parameter.type is not float:
        return Range(values=said.sweep)
    low, high = float(min(said.sweep)), float(max(said.sweep))
    return Range(low=low, high=high, log=low > 0 and (said.log or high >= 10 * low))


def given_range(parameter: Parameter, said: Any) -> Range:
    """The range that a suite gives in place of the declared one: a list of values, or {low, high, log}."""
    if isinstance(said, list) and said:
        return Range(values=tuple(convert(parameter, value) for value in said))
    if not isinstance(said, Mapping):
        raise UsageError("a range is a list of values or a table such as { low = 16, high = 128, log = true }")
    for key in said:
        if key not in ("low", "high", "log"):
            raise UnknownName("key", key, ("low", "high", "log"))
    if parameter.type not in (int, float) or not {"low", "high"} <= set(said):
        raise UsageError("low and high belong to numbers and come together; give a list of values instead")
    low, high = (float(convert(parameter, said[key])) for key in ("low", "high"))
    log = bool(said.get("log", parameter.declaration.log))
    if low > high or (log and low <= 0):
        raise UsageError("low must not exceed high, and must be above 0 on a log scale")
    return Range(low=low, high=high, log=log, whole=parameter.type is int)


@dataclass(frozen=True, slots=True)
class Search:
    """The trials of one method on one task. The first takes the defaults (and what the suite sets); no trial repeats.

    seconds: budget for training, indexing and querying of all trials together; what a cache answered is free.
    select: the metric of the validation part that chooses. halving: 0, or successive halving by this factor
    (bench.halving) of a method whose training is told to take at most `training` seconds; 0 where it cannot be told.
    """

    plan: Plan
    ranges: Mapping[str, Range]
    trials: int
    seconds: float
    seed: int = 0
    select: str = "recall@50"
    halving: int = 0
    training: float = 0.0

    @property
    def halves(self) -> bool:
        """Whether trials begin with little training; a method that cannot be told how long has all of it in each."""
        return self.halving > 0 and self.training > 0

    @property
    def name(self) -> str:
        """The method, and what the suite sets of it: "dvf scorer=inner"."""
        return self.plan.name

    def plans(self) -> Iterator[Plan]:
        """At most `trials` plans that differ; the same for every task and whatever else is in the suite."""
        rng = np.random.default_rng([self.seed, *self.plan.method.encode()])
        yield self.plan
        tried: list[dict[str, Any]] = []
        for _ in range(20 * self.trials if self.ranges else 0):
            if len(tried) == self.trials - 1:
                return
            drawn = {name: one.draw(rng) for name, one in self.ranges.items()}
            if drawn not in tried:
                tried.append(drawn)
                yield dataclasses.replace(self.plan, settings={**self.plan.settings, **drawn})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found: every trial's record, the chosen one (None where all failed) and the seconds spent.

    planned: trials; how: they shared out the budget, where not evenly.
    """

    search: Search
    records: Sequence[Record]
    chosen: Record | None
    seconds: float
    planned: int
    how: str = ""

    def __str__(self) -> str:
        failed = sum(record["status"] != "ok" for record in self.records)
        said = f"{self.search.name}: {len(self.records)} of {self.planned} trials{self.how}"
        said += f" in {self.seconds:.0f} of {self.search.seconds:.0f} s"
        said += f", {failed} failed" if failed else ""
        if self.chosen is None:
            return said + "; none to choose"
        found = self.chosen["method"]["params"]
        drawn = ", ".join(f"{key}={found[key]}" for key in self.search.ranges if key in found) or "the defaults"
        return (
            f"{said}; validation {self.search.select} {validation(self.chosen, self.search.select):.4f} chose {drawn}"
        )


def tune(search: Search, carry_out: Callable[[Plan, str], Record], clock: Callable[[], float] = monotonic) -> Outcome:
    """Run the trials until their number or the seconds are spent, and choose on validation.

    A trial gets what is left of the budget as its limit of each phase; one that passes it counts as failed.
    """
    records: list[Record] = []
    spent = 0.0
    for at, plan in enumerate(search.plans(), 1):
        if spent >= search.seconds:
            break
        position = f"(trial {at} of {search.trials})"
        record, seconds = attempt(plan, search.seconds - spent, position, carry_out, clock)
        records.append(record)
        spent += seconds
    return Outcome(search, records, choose(records, search.select), spent, search.trials)


def attempt(
    plan: Plan, left: float, position: str, carry_out: Callable[[Plan, str], Record], clock: Callable[[], float]
) -> tuple[Record, float]:
    """One trial with the seconds that are left as its limit of each phase: its record, and the seconds it spent.

    A stored trial's own seconds count, so that a resumed search stops where an uninterrupted one would.
    """
    limits = dataclasses.replace(plan.limits, seconds=min(left, plan.limits.seconds or math.inf))
    begun = clock()
    record = carry_out(dataclasses.replace(plan, limits=limits), position)
    return record, work_seconds(record) if record["status"] == "ok" else clock() - begun


def training_seconds(declared: Mapping[str, Parameter], settings: Mapping[str, Any]) -> float | None:
    """The most seconds that a method's training is told to take, by its training parameter `seconds`: inf for 0, no
    limit; None where it has no such parameter."""
    parameter = declared.get("seconds")
    if parameter is None or parameter.phase != "train" or parameter.type is not float:
        return None
    return float(settings.get("seconds", parameter.default)) or math.inf


def choose(records: Sequence[Record], select: str) -> Record | None:
    """The finished record whose validation metric is best, the earliest of equals; raises UnknownName."""
    finished = [record for record in records if record["status"] == "ok"]
    for record in finished:
        if select not in record["validation"]:
            raise UnknownName("metric", select, record["validation"])
    return max(finished, key=lambda record: validation(record, select), default=None)


def validation(record: Record, select: str) -> float:
    """The value of a validation metric."""
    found = record["validation"][select]
    return float(found["value"] if isinstance(found, Mapping) else found)


def work_seconds(record: Record) -> float:
    """Seconds that a run's phases took, without those that came from the cache and those of loading, which a method
    that keeps nothing does not have."""
    phases = [phase for name, phase in record["phases"].items() if name != "load"]
    return float(sum(phase["seconds"] for phase in phases if phase.get("seconds") and not phase.get("cached")))
