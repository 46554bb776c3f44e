"""Several methods on the same requests, each with one or more seeds: means, differences to a baseline, and ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.comparison import Comparison, Direction, compare_methods, holm
from bench.analysis.intervals import by_user
from bench.analysis.seeds import Variation, ranks, variation
from bench.data.tables import users_of

Values = tuple[NDArray[np.int64], NDArray[Any]]  # keys [B] and one value a request, float [B], NaN where undefined


@dataclass(frozen=True, slots=True)
class Standing:
    """A method's metric. mean: over requests and seeds; against: it beside the baseline (None for that itself), of the
    means over seeds; p_value: corrected by Holm for how many methods stand beside the baseline; each: the difference in
    each seed that both have; seeds: where the difference's variance is from (the metric's, of the baseline), None with
    one seed; rank: its best and worst.
    """

    label: str
    mean: float
    against: Comparison | None
    p_value: float | None
    each: tuple[float, ...]
    seeds: Variation | None
    rank: tuple[int, int]


def standings(
    methods: Mapping[str, Mapping[int, Values]], metric: str, baseline: str, better: Direction | None, seed: int = 0
) -> list[Standing]:
    """Of each label's runs by seed; only requests that all runs have count. Raises ValueError where there are none.

    A difference of means over seeds is tested over users, given these trainings; with two or more seeds in common its
    interval is that of `variation`, for other users and other trainings.
    """
    runs = [values for by_seed in methods.values() for values in by_seed.values()]
    keys = reduce(np.intersect1d, (one for one, _ in runs))
    table = {
        label: {number: aligned(values, keys) for number, values in by_seed.items()}
        for label, by_seed in methods.items()
    }
    known = ~np.isnan(np.stack([values for by_seed in table.values() for values in by_seed.values()])).any(0)
    if not known.any():
        raise ValueError(f"no request has a value of {metric} in all runs")
    users = users_of(keys[known])
    table = {label: {number: values[known] for number, values in one.items()} for label, one in table.items()}
    means = {label: np.mean(list(by_seed.values()), axis=0) for label, by_seed in table.items()}
    others = {label: means[label] for label in methods if label != baseline}
    pairs = compare_methods(metric, means[baseline], others, seed, better, users)
    corrected = dict(zip(pairs, holm([one.p_value for one in pairs.values()]), strict=True))
    placed = ranks(means, seed, users, more=better != "less")
    found = []
    for label, by_seed in table.items():
        alone = label == baseline
        both = sorted(by_seed if alone else by_seed.keys() & table[baseline].keys())
        apart = [by_seed[one] if alone else by_seed[one] - table[baseline][one] for one in both]
        found.append(
            Standing(
                label=label,
                mean=float(means[label].mean()),
                against=None if alone else pairs[label],
                p_value=None if alone else float(corrected[label]),
                each=() if alone else tuple(float(one.mean()) for one in apart),
                seeds=_variation(np.stack(apart, axis=1), users) if len(apart) > 1 else None,
                rank=placed[label],
            )
        )
    return sorted(found, key=lambda one: -one.mean if better != "less" else one.mean)


def _variation(values: NDArray[np.float64], users: NDArray[np.int64]) -> Variation | None:
    """Of values [B, S] of requests, those of a user summed; None for a single user."""
    summed = by_user(values, users)  # (U, S)
    return variation(summed.T * (len(summed) / len(values))) if len(summed) > 1 else None


def aligned(values: Values, keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """The values of the requests `keys` [n], all of which the run has: float64 [n]."""
    order = np.argsort(values[0])
    at = order[np.searchsorted(values[0], keys, sorter=order)]
    return np.asarray(values[1], np.float64)[at]
