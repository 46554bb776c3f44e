"""What a protocol decides: of each user's sequence, how much trains and where requests are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.dataset import Dataset
from bench.data.ragged import Ragged
from bench.errors import ProtocolError

HELD_OUT_DIVISOR = 5  # validation and test users are at most a fifth of the eligible users each


@dataclass(frozen=True, slots=True)
class Part:
    """Requests of one part, each a place in one user's sequence.

    users int64 [B] (dataset ids, ascending); the history is the sequence's first `cuts` int64 [B] interactions, the
    targets are those from there to `stops` int64 [B]; times int64 [B], the moment of each request where it is not that
    of the first target.
    """

    users: NDArray[np.int64]
    cuts: NDArray[np.int64]
    stops: NDArray[np.int64]
    times: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.users)

    def where(self, keep: NDArray[np.bool_]) -> Part:
        """The requests that `keep` bool [B] marks."""
        times = None if self.times is None else self.times[keep]
        return Part(self.users[keep], self.cuts[keep], self.stops[keep], times)


@dataclass(frozen=True, slots=True)
class Split:
    """training int64 [users]: how many of each user's first interactions train; order int64 [N]: the interactions'
    order where it is not the data set's own; training_ends: all training is earlier than this moment (`temporal`);
    undated_known: whether training knows an item that is described, but without a date, and that it never met."""

    training: NDArray[np.int64]
    validation: Part
    test: Part
    order: NDArray[np.int64] | None = None
    training_ends: int | None = None
    undated_known: bool = True


def spans(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Ragged:
    """The numbers starts[i] .. starts[i] + lengths[i] - 1 as row i: a Ragged of int64."""
    offsets = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return Ragged(offsets, np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths))


def shuffled(values: NDArray[Any], seed: int) -> NDArray[Any]:
    """`values` in an order that only the seed decides."""
    return values[np.argsort(np.random.default_rng(seed).random(len(values)), kind="stable")]


def sampled(part: Part, at_most: int, seed: int) -> Part:
    """`part`, or a seeded sample of `at_most` of its requests (0: all)."""
    if not at_most or len(part) <= at_most:
        return part
    keep = np.zeros(len(part), np.bool_)
    keep[shuffled(np.arange(len(part)), seed)[:at_most]] = True
    return part.where(keep)


def held_out(
    lengths: NDArray[np.int64], least: int, users: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Users (validation, test) to hold out: up to `users` each, never more than a fifth of those with `least`
    interactions or more (lengths int64 [users]). Disjoint and ascending. Raises ProtocolError where fewer than five
    users are eligible."""
    eligible = np.flatnonzero(lengths >= least)
    count = min(users, len(eligible) // HELD_OUT_DIVISOR)
    if count < 1:
        raise ProtocolError(
            f"{len(eligible)} users have the {least} interactions that a held-out user needs, and at least "
            f"{HELD_OUT_DIVISOR} such users are needed. Lower min_interactions or take a larger data set."
        )
    drawn = shuffled(eligible, seed)
    return np.sort(drawn[count : 2 * count]), np.sort(drawn[:count])


def without(lengths: NDArray[np.int64], *users: NDArray[np.int64]) -> NDArray[np.int64]:
    """`lengths` int64 [users] with 0 for the given users: they do not train."""
    training = lengths.copy()
    for some in users:
        training[some] = 0
    return training


def seeded_order(dataset: Dataset, seed: int) -> NDArray[np.int64]:
    """Rows int64 [N] of the interactions, still grouped by user, each user's in a seeded order."""
    chance = np.random.default_rng([seed, 1]).random(len(dataset.interactions))
    return np.lexsort((chance, dataset.interactions.users))


def lengths_in_order(dataset: Dataset, protocol: str) -> NDArray[np.int64]:
    """The length of each user's sequence, int64 [users]; raises ProtocolError where its order is not known."""
    if dataset.time == "none":
        raise ProtocolError(
            f"{dataset.name}: the protocol {protocol} needs the order in which a user met the items, and this data set "
            f"has neither times nor an order. Use --protocol user-holdout:order=seeded, which orders them by chance."
        )
    return dataset.interactions.by_user.lengths


def timestamps(dataset: Dataset, protocol: str) -> NDArray[np.int64]:
    """The interactions' times int64 [N]; raises ProtocolError where the data set has none."""
    if dataset.interactions.timestamps is None:
        known = "only each user's order" if dataset.time == "order" else "none"
        mend = "leave-last-out or user-ratio" if dataset.time == "order" else "user-holdout:order=seeded"
        raise ProtocolError(
            f"{dataset.name}: the protocol {protocol} needs the time of each interaction, and this data set has "
            f"{known}. Use --protocol {mend}."
        )
    return dataset.interactions.timestamps
