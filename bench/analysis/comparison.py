"""Two runs compared request by request: the difference, its interval, and whether chance could make it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.analysis.intervals import Interval, by_user, mean_intervals
from bench.data.tables import users_of
from bench.metrics.names import describe

Direction = Literal["more", "less"]
Verdict = Literal["better", "worse", "more", "less", "not distinguishable"]

PERMUTATIONS = 9999
SIGNIFICANCE = 0.05
POWER = 0.8
BLOCK = 512  # differences flipped at a time: some tens of megabytes of signs


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of a contender beside a baseline, over the requests that have a value in both.

    baseline, contender: means over those requests; difference: contender - baseline, with its 95% bootstrap interval
    low to high; p_value of the two-sided sign-flip test; verdict on the contender ("more" or "less" for a metric of
    which neither is better); requests: how many; changed: on how many of them the two differ; effect: the difference in
    standard deviations of the differences (Cohen's d of pairs); detectable: the least difference that would have shown
    (`detectable`).
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
    effect: float
    detectable: float


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
    return _comparisons(pairs, seed, {name: _better(name) for name in pairs}, users_of(keys[0][rows[0]]))


def compare_metric(
    metric: str,
    baseline: NDArray[Any],
    contender: NDArray[Any],
    seed: int,
    better: Direction | None,
    users: NDArray[Any] | None = None,
) -> Comparison | None:
    """Paired values of the same requests, float [n] both; None where no request has a value in both.

    `better` says which way is better, None that neither is; users int [n]: who asked, as in `mean_intervals`.
    """
    pair = np.asarray(baseline, np.float64), np.asarray(contender, np.float64)
    return next(iter(_comparisons({metric: pair}, seed, {metric: better}, users)), None)


def compare_methods(
    metric: str,
    baseline: NDArray[Any],
    contenders: Mapping[str, NDArray[Any]],
    seed: int,
    better: Direction | None,
    users: NDArray[Any] | None = None,
) -> dict[str, Comparison]:
    """`compare_metric` of each contender's values, float [n], under its name; without those that share no request."""
    first = np.asarray(baseline, np.float64)
    pairs = {name: (first, np.asarray(values, np.float64)) for name, values in contenders.items()}
    found = _comparisons(pairs, seed, dict.fromkeys(pairs, better), users)
    return {one.metric: dataclasses.replace(one, metric=metric) for one in found}


def sign_flip_test(differences: NDArray[Any], seed: int, permutations: int = PERMUTATIONS) -> NDArray[np.float64]:
    """Two-sided p-values of M columns of paired differences, float [n, M], if each could as well have the other sign.

    A row's sign is flipped in all columns at once; NaN counts as no difference. The statistic is the absolute sum; the
    p-value is (1 + flips at least as large) / (1 + permutations), which never rejects too often. float64 [M].
    """
    changed = np.nan_to_num(np.asarray(differences, np.float64))
    changed = changed[(changed != 0).any(1)]  # (n, M)
    return tail_share(flipped_sums(changed, seed, permutations), changed.sum(0), np.abs(changed).sum(0))


def flipped_sums(values: NDArray[np.float64], seed: int, permutations: int = PERMUTATIONS) -> NDArray[np.float64]:
    """Sums over rows with random signs, the same in all columns: float64 [n, M] -> [permutations, M].

    They are linear: of two columns' difference they are the difference of the columns' sums.
    """
    rng = np.random.default_rng(seed)
    sums = np.tile(values.sum(0), (permutations, 1))
    for start in range(0, len(values), BLOCK):
        some = values[start : start + BLOCK]
        bits = rng.integers(0, 256, (permutations, -(-len(some) // 8)), dtype=np.uint8)
        flipped = np.unpackbits(bits, axis=1, count=len(some))
        sums -= 2.0 * (flipped.astype(np.float64) @ some)
    return sums


def tail_share(
    flipped: NDArray[np.float64], observed: NDArray[np.float64], size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The p-values: [permutations, M] beside the observed sums [M]; size [M]: sums of absolute values, for rounding.

    Flips that tie with the data must count, whatever the order of addition.
    """
    as_large = np.count_nonzero(np.abs(flipped) >= np.abs(observed) - 1e-9 * size, axis=0)
    return np.asarray((1 + as_large) / (1 + len(flipped)))


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values corrected for how many they are (Holm, Scandinavian Journal of Statistics 1979): float64 [m].

    The i-th smallest is multiplied by m - i + 1 and is no less than those before it, at most 1: calling those of at
    most 5% differences, one wrong call or more happens in at most 5% of such families.
    """
    given = np.asarray(p_values, np.float64)
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    corrected = np.empty(len(given))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def detectable(differences: NDArray[Any], power: float = POWER) -> float:
    """The least true difference that as many paired differences, float [n], would show at 5% with that power.

    (z(.975) + z(power)) sd / sqrt(n); NaN for fewer than two.
    """
    if len(differences) < 2:
        return float("nan")
    return float((ndtri(1 - SIGNIFICANCE / 2) + ndtri(power)) * np.std(differences, ddof=1) / np.sqrt(len(differences)))


def _comparisons(
    pairs: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    seed: int,
    better: Mapping[str, Direction | None],
    users: NDArray[Any] | None,
) -> list[Comparison]:
    """Of each metric that has a value in both somewhere; values float [n] of the same requests, by users int [n]."""
    differences = {name: second - first for name, (first, second) in pairs.items()}
    intervals = mean_intervals(differences, seed, users=users)
    if not intervals:
        return []
    apart = np.stack([differences[name] for name in intervals], axis=1)  # (n, M)
    p_values = sign_flip_test(apart if users is None else by_user(np.nan_to_num(apart), users), seed)
    return [
        _comparison(name, *pairs[name], interval, float(p_value), better[name], users)
        for (name, interval), p_value in zip(intervals.items(), p_values, strict=True)
    ]


def _comparison(
    metric: str,
    baseline: NDArray[np.float64],
    contender: NDArray[np.float64],
    interval: Interval,
    p_value: float,
    better: Direction | None,
    users: NDArray[Any] | None,
) -> Comparison:
    both = ~np.isnan(contender - baseline)
    differences = (contender - baseline)[both]
    independent = differences  # one a user
    if users is not None:
        sums = by_user(np.stack([differences, np.ones(len(differences))], axis=1), users[both])
        independent = sums[:, 0] / sums[:, 1].mean()  # of which the mean is that of the requests
    spread = float(np.std(independent, ddof=1)) if len(independent) > 1 else 0.0
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
        effect=interval["value"] / spread if spread else 0.0,
        detectable=detectable(independent),
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
