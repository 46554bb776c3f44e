"""Closed-loop latency and batch throughput of a `query` hook."""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import perf_counter, perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.context import Context
from bench.data.tables import Requests

WARM_BLOCK, WARM_BLOCKS, WARM_SECONDS = 64, 20, 5.0
STEADY = 0.05

Query = Callable[..., Any]


def closed_loop(
    query: Query, requests: Requests, k: int, context: Context, *, least: int = 1000, seconds: float = 10.0
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """One request a call, the next when the last is answered, after a warm-up to a steady median.

    Every request once, again until `least` calls are made; stops after `seconds`, but not before 100 calls.
    Returns the row int32 [M] and nanoseconds int64 [M] of every call; nothing is dropped.
    """
    singles = [requests[row : row + 1] for row in range(min(len(requests), max(least, 10_000)))]
    if not singles:
        return np.zeros(0, np.int32), np.zeros(0, np.int64)
    _warm_up(query, singles, k, context)
    calls = max(least, len(singles))
    spent = np.zeros(calls, np.int64)
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()  # a pause of the harness's own garbage is not the method's latency
    try:
        end = perf_counter_ns() + int(seconds * 1e9)
        done = 0
        while done < calls:
            request = singles[done % len(singles)]
            begin = perf_counter_ns()
            query(requests=request, k=k, context=context)
            now = perf_counter_ns()
            spent[done] = now - begin
            done += 1
            if now > end and done >= 100:
                break
    finally:
        if enabled:
            gc.enable()
    return (np.arange(done) % len(singles)).astype(np.int32), spent[:done]


def _warm_up(query: Query, singles: list[Requests], k: int, context: Context) -> None:
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


def summary(nanoseconds: NDArray[np.int64]) -> dict[str, float]:
    """mean, p50, p95, p99 in milliseconds."""
    p50, p95, p99 = np.percentile(nanoseconds, [50, 95, 99])
    return {
        name: float(value) / 1e6
        for name, value in zip(("mean", "p50", "p95", "p99"), (nanoseconds.mean(), p50, p95, p99), strict=True)
    }
