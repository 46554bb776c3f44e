"""How long metrics take: seconds of evaluate, bootstrap and catalog figures on random answers.

    python benchmarks/metrics_speed.py [REQUESTS] [ITEMS]

Compilation is left out: everything runs once on a few requests before.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench import Ragged
from bench.analysis.comparison import compare_metric
from bench.analysis.intervals import mean_intervals
from bench.analysis.standings import standings
from bench.data.tables import KEY_STRIDE
from bench.metrics.accuracy import measure_all
from bench.metrics.catalog_use import catalog_use
from bench.metrics.evaluate import Facts, evaluate

KS = (10, 50, 200)
METHODS = 20


def made(requests: int, items: int) -> tuple[np.ndarray, Ragged, Facts]:
    """Answers skewed towards few items, 1 to 39 targets and up to 99 items of history a request."""
    rng = np.random.default_rng(0)
    ids = (rng.random((requests, max(KS))) ** 3 * items).astype(np.int32)

    def rows(longest: int) -> Ragged:
        offsets = np.concatenate([[0], np.cumsum(rng.integers(1, longest, requests))])
        return Ragged(offsets, rng.integers(0, items, offsets[-1], dtype=np.int32))

    targets, history = rows(40), rows(100)
    popularity = (1e6 / np.arange(1, items + 1)).astype(np.int64)
    first_seen = rng.integers(0, 10**9, items)
    facts = Facts(popularity, first_seen, items, history.lengths, None, "answered", "all", history, items)
    return ids, targets, facts


def measure(requests: int, items: int) -> dict[str, float]:
    """Seconds of each step."""
    ids, targets, facts = made(requests, items)
    seconds = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = step()
        seconds[name] = time.perf_counter() - start
        return result

    timed("accuracy: 7 metrics at 3 k", lambda: measure_all(ids, targets, KS))
    values = timed(f"evaluate: all columns at k = {KS}", lambda: evaluate(ids, targets, KS, facts))
    timed(f"bootstrap: {len(values)} columns x 1,000 resamples", lambda: mean_intervals(values, 0))
    timed("coverage and Gini with intervals", lambda: catalog_use(ids, KS, items, 0))
    recall = values["recall@50"]
    timed("paired comparison of one metric", lambda: compare_metric("recall@50", recall, recall[::-1], 0, "more"))
    rng = np.random.default_rng(1)
    methods = {str(at): (recall + rng.normal(0, 0.1, requests)).astype(np.float64) for at in range(METHODS)}
    timed(f"intervals of {METHODS} methods", lambda: mean_intervals(methods, 0))
    keys = np.arange(requests) * KEY_STRIDE
    runs = {name: {0: (keys, column)} for name, column in methods.items()}
    timed(
        f"{METHODS} methods beside one, intervals, tests and all pairs ranked",
        lambda: standings(runs, "recall@50", "0", "more"),
    )
    return seconds


def main() -> None:
    given = [int(text) for text in sys.argv[1:3]]
    requests, items = given + [100_000, 20_000][len(given) :]
    measure(100, 1000)
    print(f"{requests:,} requests, {items:,} items")
    for name, seconds in measure(requests, items).items():
        print(f"{seconds:8.3f} s  {name}")


if __name__ == "__main__":
    main()
