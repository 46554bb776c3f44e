"""Closed-loop latency and batch throughput of a `query` hook."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter, perf_counter_ns
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.context import Context
from bench.data.tables import Requests

WARM_BLOCK, WARM_BLOCKS, WARM_SECONDS = 64, 20, 5.0
STEADY = 0.05

Query = Callable[..., Any]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Calls:
    """Every call of a closed loop; nothing is dropped.

    rows int32 [M]: the request of each call; nanoseconds int64 [M]; floor int64 [M]: what an empty hook took right
    after it, with the caches as the method left them.
    """

    rows: NDArray[np.int32]
    nanoseconds: NDArray[np.int64]
    floor: NDArray[np.int64]


def closed_loop(
    query: Query,
    empty: Query,
    requests: Requests,
    k: int,
    context: Context,
    *,
    least: int = 1000,
    shortest: float = 1.0,
    seconds: float = 10.0,
) -> Calls:
    """One request a call, the next when the last is answered, after a warm-up to a steady median.

    Every request once, again until `least` calls and `shortest` seconds have passed; stops after `seconds`, but not
    before 100 calls. `empty` is a hook that does nothing: what it takes is the harness's own share of each call.
    """
    singles = single_requests(requests, least)
    spent: list[int] = []
    floor: list[int] = []
    if singles:
        calls = max(least, len(singles))
        warm_up(query, singles, k, context)
        with no_collection():
            begun = perf_counter_ns()
            enough, end = begun + int(shortest * 1e9), begun + int(seconds * 1e9)
            begin = begun
            while (len(spent) < calls or begin < enough) and (begin < end or len(spent) < 100):
                request = singles[len(spent) % len(singles)]
                begin = perf_counter_ns()
                query(requests=request, k=k, context=context)
                now = perf_counter_ns()
                empty(requests=request, k=k, context=context)
                floor.append(perf_counter_ns() - now)
                spent.append(now - begin)
    rows = np.arange(len(spent)) % max(1, len(singles))
    return Calls(rows.astype(np.int32), np.array(spent, np.int64), np.array(floor, np.int64))


def single_requests(requests: Requests, least: int) -> list[Requests]:
    """Requests of one row each, the first 10,000 or `least`."""
    return [requests[row : row + 1] for row in range(min(len(requests), max(least, 10_000)))]


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """A pause of the harness's own garbage is not the method's latency."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def warm_up(query: Query, singles: list[Requests], k: int, context: Context) -> None:
    """Blocks of calls until the median of one is within 5% of the one before, at most 20 blocks or 5 seconds."""
    begun, last = perf_counter(), np.inf
    for block in range(WARM_BLOCKS):
        spent = []
        for call in range(WARM_BLOCK):
            begin = perf_counter_ns()
            query(requests=singles[(block * WARM_BLOCK + call) % len(singles)], k=k, context=context)
            spent.append(perf_counter_ns() - begin)
        median = float(np.median(spent))
        if abs(median - last) <= STEADY * last or perf_counter() - begun > WARM_SECONDS:
            return
        last = median


def batch(
    query: Query, requests: Requests, k: int, context: Context, *, least: int = 3, seconds: float = 1.0
) -> NDArray[np.float64]:
    """All requests in one call, over and over: seconds float64 [R] of each repetition, all of them kept.

    At least `least` repetitions and `seconds` in all; a single repetition where that one takes over 10 x `seconds`.
    """
    spent: list[float] = []
    while len(spent) < least or sum(spent) < seconds:
        begin = perf_counter()
        query(requests=requests, k=k, context=context)
        spent.append(perf_counter() - begin)
        if sum(spent) > 10 * seconds:
            break
    return np.array(spent)


def spent(call: Callable[[], Value]) -> tuple[Value, float]:
    """What `call` gives, and the seconds that it took."""
    begin = perf_counter()
    value = call()
    return value, perf_counter() - begin


def summary(nanoseconds: NDArray[np.int64]) -> dict[str, float]:
    """mean, p50, p95, p99 in milliseconds."""
    return spread(nanoseconds / 1e6)


def spread(values: NDArray[np.float64]) -> dict[str, float]:
    """mean, p50, p95, p99."""
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {"mean": float(values.mean()), "p50": float(p50), "p95": float(p95), "p99": float(p99)}
