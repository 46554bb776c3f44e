"""Two runs compared request by request: the difference, its interval, and whether chance could make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.analysis.intervals import Interval, mean_intervals
from bench.metrics.names import describe

Direction = Literal["more", "less"]
Verdict = Literal["better", "worse", "more", "less", "not distinguishable"]

PERMUTATIONS = 9999
SIGNIFICANCE = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of a contender beside a baseline, over the requests that have a value in both.

    baseline, contender: means over those requests; difference: contender - baseline, with its 95% bootstrap interval
    low to high; p_value of the two-sided sign-flip test; verdict on the contender ("more" or "less" for a metric of
    which neither is better); requests: how many; changed: on how many of them the two differ.
    """

    metric: str
    baseline: float
    contender: float
    difference: float
    low: float
    high: float
    p_value: float
    verdict: Verdict
    requests: int
    changed: int


def match_requests(
    baseline: NDArray[np.int64], contender: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of the requests that both runs have, in the same order: keys int64 [A] and [B] -> int64 [n] both."""
    _, rows_of_baseline, rows_of_contender = np.intersect1d(baseline, contender, return_indices=True)
    return rows_of_baseline, rows_of_contender


def compare(
    baseline: Mapping[str, NDArray[Any]],
    contender: Mapping[str, NDArray[Any]],
    keys: tuple[NDArray[np.int64], NDArray[np.int64]],
    seed: int,
) -> list[Comparison]:
    """Every metric that both runs have, in the baseline's order.

    baseline, contender: name -> one value a request, float [A] and [B], NaN where undefined; keys: what names the
    requests of each run, int64 [A] and [B], no key twice in a run. Metrics without a request that has a value in both
    are left out. The p-values are not corrected for their number.
    """
    rows = match_requests(*keys)
    pairs = {
        name: (baseline[name][rows[0]].astype(np.float64), contender[name][rows[1]].astype(np.float64))
        for name in baseline
        if name in contender
    }
    intervals = mean_intervals({name: second - first for name, (first, second) in pairs.items()}, seed)
    return [_comparison(name, *pairs[name], interval, seed, _better(name)) for name, interval in intervals.items()]


def compare_metric(
    metric: str, baseline: NDArray[Any], contender: NDArray[Any], seed: int, better: Direction | None
) -> Comparison | None:
    """Paired values of the same requests, float [n] both; None where no request has a value in both.

    `better` says which way is better, None that neither is.
    """
    first, second = np.asarray(baseline, np.float64), np.asarray(contender, np.float64)
    interval = mean_intervals({metric: second - first}, seed).get(metric)
    return None if interval is None else _comparison(metric, first, second, interval, seed, better)


def sign_flip_test(differences: NDArray[Any], seed: int, permutations: int = PERMUTATIONS) -> float:
    """Two-sided p-value of paired differences, float [n], if each could as well have the other sign.

    The statistic is the absolute sum; the p-value is (1 + flips at least as large) / (1 + permutations), which never
    rejects too often. Eight signs make one random byte, and a byte looks up the sum of its eight differences.
    """
    changed = np.asarray(differences, np.float64)
    changed = changed[changed != 0]
    if not len(changed):
        return 1.0
    eights = np.pad(changed, (0, -len(changed) % 8)).reshape(-1, 8)
    signs = 1.0 - 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)  # (256, 8)
    rng = np.random.default_rng(seed)
    sums = np.zeros(permutations)
    for eight in eights:
        sums += (signs @ eight)[rng.integers(0, 256, permutations, dtype=np.uint8)]
    rounding = 1e-9 * np.abs(changed).sum()  # flips that tie with the data must count, whatever the order of addition
    as_large = np.count_nonzero(np.abs(sums) >= abs(changed.sum()) - rounding)
    return (1 + as_large) / (1 + permutations)


def _comparison(
    metric: str,
    baseline: NDArray[np.float64],
    contender: NDArray[np.float64],
    interval: Interval,
    seed: int,
    better: Direction | None,
) -> Comparison:
    both = ~np.isnan(contender - baseline)
    differences = (contender - baseline)[both]
    p_value = sign_flip_test(differences, seed)
    return Comparison(
        metric=metric,
        baseline=float(baseline[both].mean()),
        contender=float(contender[both].mean()),
        difference=interval["value"],
        low=interval["low"],
        high=interval["high"],
        p_value=p_value,
        verdict=_verdict(interval["value"], p_value, better),
        requests=int(both.sum()),
        changed=int(np.count_nonzero(differences)),
    )


def _better(metric: str) -> Direction | None:
    described = describe(metric)
    return None if described is None else described.better


def _verdict(difference: float, p_value: float, better: Direction | None) -> Verdict:
    if p_value > SIGNIFICANCE or difference == 0:
        return "not distinguishable"
    direction: Direction = "more" if difference > 0 else "less"
    if better is None:
        return direction
    return "better" if direction == better else "worse"
