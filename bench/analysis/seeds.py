"""Several trainings of one method, and several methods beside each other: what seeds add, and who ranks where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from bench.analysis.comparison import SIGNIFICANCE, flipped_sums, holm, tail_share
from bench.analysis.intervals import LEVEL, by_user


@dataclass(frozen=True, slots=True)
class Variation:
    """A metric over S seeds and U users, and where its variance is from.

    mean, with its interval low to high for another set of users and another set of seeds; users, seeds, both: standard
    deviations between users, between trainings, and of what depends on both; share: of the mean's variance, what more
    seeds would remove.
    """

    mean: float
    low: float
    high: float
    users: float
    seeds: float
    both: float
    share: float


def variation(values: NDArray[Any], level: float = LEVEL) -> Variation:
    """The parts of the variance of values float [S, U], one row a seed, S and U at least 2; users with a NaN are left
    out.

    The two-way random model without replication: from the mean squares between users, between seeds and of the rest
    (Searle, Casella and McCulloch, Variance Components, 1992, chapter 4), negative estimates as 0. The mean's variance
    is MS_users / (S U) + MS_seeds / (S U) - MS_rest / (S U), its interval Student's with Satterthwaite's degrees of
    freedom.
    """
    values = np.asarray(values, np.float64)
    values = values[:, ~np.isnan(values).any(0)]  # (S, U)
    seeds, users = values.shape
    if seeds < 2 or users < 2:
        raise ValueError(f"{seeds} seeds and {users} users: two of each are the least that vary")
    mean = values.mean()
    of_seeds, of_users = values.mean(1), values.mean(0)
    rest = values - of_seeds[:, None] - of_users + mean
    squares = {
        "users": seeds * ((of_users - mean) ** 2).sum() / (users - 1),
        "seeds": users * ((of_seeds - mean) ** 2).sum() / (seeds - 1),
        "rest": (rest**2).sum() / ((users - 1) * (seeds - 1)),
    }
    freedom = {"users": users - 1, "seeds": seeds - 1, "rest": (users - 1) * (seeds - 1)}
    between_users = max(0.0, (squares["users"] - squares["rest"]) / seeds)
    between_seeds = max(0.0, (squares["seeds"] - squares["rest"]) / users)
    # Where seeds add nothing that can be seen, their mean square is but another look at the rest.
    parts = {"users": 1.0, "seeds": 1.0, "rest": -1.0} if between_seeds else {"users": 1.0}
    variance = sum(weight * squares[name] for name, weight in parts.items()) / values.size
    spread = sum((squares[name] / values.size) ** 2 / freedom[name] for name in parts)
    width = float(np.sqrt(max(0.0, variance)))
    if spread > 0:
        width *= float(student.ppf((1 + level) / 2, max(1.0, variance**2 / spread)))
    of_all = between_users / users + between_seeds / seeds + squares["rest"] / values.size
    return Variation(
        mean=float(mean),
        low=float(mean - width),
        high=float(mean + width),
        users=float(np.sqrt(between_users)),
        seeds=float(np.sqrt(between_seeds)),
        both=float(np.sqrt(squares["rest"])),
        share=float((between_seeds / seeds + squares["rest"] / values.size) / of_all) if of_all > 0 else 0.0,
    )


def ranks(
    values: Mapping[str, NDArray[Any]], seed: int, users: NDArray[Any] | None = None, *, more: bool = True
) -> dict[str, tuple[int, int]]:
    """The best and the worst rank (from 1) that each method may have: its values float [B] of the same B requests,
    none NaN.

    All pairs are tested by sign flips and corrected by Holm: a method's best rank is 1 + how many are better, its worst
    M - how many are worse. With at least 95% confidence all these ranges are right at once. more: whether more is
    better.
    """
    names = list(values)
    best, worst = dict.fromkeys(names, 1), dict.fromkeys(names, len(names))
    if len(names) < 2:
        return dict.fromkeys(names, (1, 1))
    table = np.stack([np.asarray(values[name], np.float64) for name in names], axis=1)
    table = table if users is None else by_user(table, users)  # (B, M)
    first, second = np.triu_indices(len(names), 1)
    sums, total = flipped_sums(table - table[:, :1], seed), table.sum(0)
    sizes = np.array([np.abs(table[:, one] - table[:, other]).sum() for one, other in zip(first, second, strict=True)])
    gains = total[second] - total[first]
    called = holm(tail_share(sums[:, second] - sums[:, first], gains, sizes)) <= SIGNIFICANCE
    for one, other, gain in zip(first[called], second[called], gains[called], strict=True):
        winner, loser = (other, one) if (gain > 0) == more else (one, other)
        best[names[loser]] += 1
        worst[names[winner]] -= 1
    return {name: (best[name], worst[name]) for name in names}
