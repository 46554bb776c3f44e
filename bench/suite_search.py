"""The `[search]` of a suite, for one method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from bench import params
from bench.catalog import method_class
from bench.errors import Unavailable, UnknownName, UsageError
from bench.run.plan import Plan
from bench.suite_settings import named
from bench.tuning import Range, Search, declared_range, given_range, training_seconds

SEARCH_KEYS = {"trials", "seconds", "seed", "select", "halving"}


class Reading(Protocol):
    """The suite file that is being read."""

    @property
    def path(self) -> Path: ...
    def check(self, said: Mapping[str, Any], known: Iterable[str], where: str) -> None: ...
    def value(self, said: Mapping[str, Any], key: str, kind: type | tuple[type, ...], default: Any) -> Any: ...


def read_search(suite: Reading, plan: Plan, method: Mapping[str, Any], said: Mapping[str, Any], at: int) -> Search:
    """The search `said` of the method that `plan` names, number `at` of the suite."""
    suite.check(said, SEARCH_KEYS, "[search]")
    if "grid" in method:
        raise UsageError(f"{suite.path}: [[methods]] number {at}: a [search] draws values itself; remove grid")
    trials = suite.value(said, "trials", int, 20)
    seconds = suite.value(said, "seconds", (int, float), 600)
    halving = suite.value(said, "halving", int, 0)
    if trials < 1 or seconds <= 0:
        raise UsageError(f"{suite.path}: [search] needs trials and seconds above 0")
    if "halving" in said and halving < 2:
        raise UsageError(f"{suite.path}: [search] halving = {halving} should be 2 or more: one in so many goes on")
    ranges = _ranges(suite.path, plan, suite.value(method, "range", dict, {}))
    training = _training(plan)
    if halving and training and "seconds" in ranges:
        raise UsageError(f"{suite.path}: halving gives {plan.method} its seconds; leave them out of its range")
    return Search(
        plan=plan,
        ranges=ranges,
        trials=trials,
        seconds=float(seconds),
        seed=suite.value(said, "seed", int, 0),
        select=suite.value(said, "select", str, "recall@50"),
        halving=halving,
        training=training,
    )


def _ranges(path: Path, plan: Plan, given: Mapping[str, Any]) -> dict[str, Range]:
    """What is drawn: the method's declared ranges without what is set, narrowed by the suite's."""
    try:
        declared = params.parameters(method_class(plan.method))
    except Unavailable:
        return {}  # its run says so
    for name in given:
        if name not in declared:
            raise UnknownName(f"parameter of {plan.method} in range of {path}", name, declared)
    found = {}
    for name, parameter in declared.items():
        if name in given:
            with named(f"{path}: range.{name} of {plan.method}"):
                found[name] = given_range(parameter, given[name])
        elif name not in plan.settings and (own := declared_range(parameter)) is not None:
            found[name] = own
    return found


def _training(plan: Plan) -> float:
    """The most seconds that the method's training is told to take, 0 where it cannot be told."""
    try:
        declared = params.parameters(method_class(plan.method))
    except Unavailable:
        return 0.0  # its run says so
    return training_seconds(declared, plan.settings) or 0.0
