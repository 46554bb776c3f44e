"""What a method takes at a catalog size that was not run, from runs at smaller sizes, and the machines for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.analysis.cost import Work, money
from bench.errors import UsageError
from bench.forecast.curves import LINE, LOGARITHM, POWER, Curve, Projection, project
from bench.prices import Prices
from bench.report import wording
from bench.report.columns import Record, lookup, number
from bench.report.cost import kept_bytes, memory, serving

FULL = 0.8  # of a machine's memory that one server may take
MONTH = 730 * 3600.0  # seconds
MOST_SHARDS = 10_000
ANY, MEMORY = (LOGARITHM, POWER, LINE), (LINE, POWER)


@dataclass(frozen=True, slots=True)
class Measure:
    """A measurement that grows. of: its value in a record; curves: how it may grow; by: with "items" or "interactions";
    text: how it reads."""

    name: str
    of: Callable[[Record], float | None]
    curves: tuple[Curve, ...]
    text: Callable[[float | None], str]
    by: str = "items"


def _core_seconds(record: Record) -> float | None:
    work = serving(record, 1.0)
    return None if work is None else work.seconds * work.cores


WORK = Measure("work of a request", lambda one: number(lookup(one, "work", "mean")), ANY, wording.count)
P50 = Measure("p50 ms", lambda one: number(lookup(one, "latency_ms", "p50")), ANY, wording.milliseconds)
P99 = Measure("p99 ms", lambda one: number(lookup(one, "latency_ms", "p99")), ANY, wording.milliseconds)
CORE = Measure("core ms of a request", _core_seconds, ANY, lambda value: wording.milliseconds(_thousand(value)))
SERVER = Measure("memory of a server", lambda one: memory(one, ("load", "query")), MEMORY, wording.size)
DISK = Measure("on disk", kept_bytes, (LINE,), wording.size)
INDEX = Measure("index s", lambda one: number(lookup(one, "phases", "index", "seconds")), MEMORY, wording.seconds)
TRAIN = Measure(
    "train s", lambda one: number(lookup(one, "phases", "train", "seconds")), MEMORY, wording.seconds, "interactions"
)
BUILDER = Measure("memory to build", lambda one: memory(one, ("train", "index")), MEMORY, wording.size)
MEASURES = (WORK, P50, P99, CORE, SERVER, DISK, INDEX, TRAIN, BUILDER)


@dataclass(frozen=True, slots=True)
class Asked:
    """The size that is asked about. interactions: of its training log; cores, memory_bytes: of a machine; used: share
    of its cores that may be busy."""

    items: float
    interactions: float
    requests_per_second: float
    cores: int
    memory_bytes: float
    used: float = 0.6


@dataclass(frozen=True, slots=True)
class Machines:
    """What serves. shards: parts of the catalog, of which each request asks every one; replicas: machines a part;
    month: what they cost, None without prices."""

    shards: int
    replicas: int
    month: float | None

    @property
    def count(self) -> int:
        """All of them."""
        return self.shards * self.replicas


def siblings(run: Record, records: Sequence[Record]) -> list[Record]:
    """The runs that differ from `run` in the size of the catalog and in the seed alone, `run` among them, by size.

    The same method, parameters, k, machine and threads, over data sets of the same name. Raises UsageError where there
    are fewer than two sizes.
    """

    def known(record: Record) -> tuple[Any, ...]:
        paths = (("method",), ("k",), ("task", "protocol"), ("provenance", "build", "threads"), ("machine", "cpu"))
        return (_name(record), *(repr(lookup(record, *path)) for path in paths))

    alike = [one for one in records if one.get("status") == "ok" and known(one) == known(run)]
    newest = {(one["spec_id"], one["task"]["fingerprint"]): one for one in alike}
    found = sorted(newest.values(), key=lambda one: int(one["task"]["items"]))
    if len({int(one["task"]["items"]) for one in found}) < 2:
        items = int(run["task"]["items"])
        raise UsageError(
            f"run {run['run_id']} is the only size of its kind ({items:,} items): growth shows at two sizes or more. "
            f"Run the same method and settings on others, such as synthetic:items={items // 3} and items={items // 10}"
        )
    return found


def projected(measure: Measure, runs: Sequence[Record], at: float) -> Projection | None:
    """The measure at so many items or interactions; None where fewer than two sizes have it."""
    pairs = [(float(one["task"][measure.by]), measure.of(one)) for one in runs]
    known = [(size, value) for size, value in pairs if value is not None and value > 0]
    if len({size for size, _ in known}) < 2:
        return None
    sizes, values = zip(*known, strict=True)
    found = project(at, sizes, values, measure.curves)
    whole = at if measure is WORK and all(lookup(one, "work", "unit") == "items scored" for one in runs) else math.inf
    return Projection(min(found.value, whole), min(found.low, whole), min(found.high, whole), found.curve, found.miss)


def machines(
    runs: Sequence[Record], asked: Asked, prices: Prices | None, pick: Callable[[Projection], float]
) -> Machines:
    """As few parts as fit into a machine's memory, each on as many machines as the requests keep busy.

    pick: the value of a projection, or the low or high end of its range. Raises UsageError where memory or serving was
    not measured at two sizes, or no part fits.
    """
    for shards in range(1, MOST_SHARDS + 1):
        held = projected(SERVER, runs, asked.items / shards)
        if held is None:
            raise UsageError("machines cannot be told: the memory of the query phase is not known at two sizes")
        if pick(held) <= FULL * asked.memory_bytes:
            break
    else:
        raise UsageError(f"no part of the catalog fits into {wording.size(asked.memory_bytes)}: take larger machines")
    busy = projected(CORE, runs, asked.items / shards)
    if busy is None:
        raise UsageError("machines cannot be told: no run measured how many requests it answers (--timing batch)")
    replicas = max(1, math.ceil(asked.requests_per_second * pick(busy) / (asked.cores * asked.used)))
    month = None if prices is None else money([Work(MONTH, asked.cores, asked.memory_bytes)], prices)
    return Machines(shards, replicas, None if month is None else month * shards * replicas)


def _name(record: Record) -> str:
    """Of the data set, without its settings."""
    return str(lookup(record, "task", "dataset")).partition(":")[0]


def _thousand(value: float | None) -> float | None:
    return None if value is None else 1e3 * value
