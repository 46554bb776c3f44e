"""From places in users' sequences to requests with histories, exclusions and targets, under named conventions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.conventions import Conventions
from bench.data.ragged import Ragged
from bench.data.splits import Part, spans
from bench.data.tables import KEY_STRIDE, Interactions


@dataclass(frozen=True, slots=True)
class Asked:
    """The requests of one part, ready to be frozen.

    users int64 [B] (dataset ids); keys int64 [B] = user * 2**24 + the user's interactions before the request; history
    Ragged of items, oldest first, repeats included, and history_times of the same shape or None; times int64 [B] or
    None; exclude Ragged of sorted distinct items; targets Ragged, earliest first, at least one a request. dropped:
    how many targets were left out and why, and how many requests for want of any target; vectors float32 [B, D] of
    index-only tasks.
    """

    users: NDArray[np.int64]
    keys: NDArray[np.int64]
    history: Ragged
    history_times: Ragged | None
    times: NDArray[np.int64] | None
    exclude: Ragged
    targets: Ragged
    dropped: dict[str, int]
    vectors: NDArray[np.float32] | None = None


def ask(part: Part, interactions: Interactions, size: int, conventions: Conventions, eligible: Any) -> Asked:
    """The requests of `part` over `interactions` whose items are ids below `size`; eligible: bool [size] or None."""
    starts = interactions.by_user.offsets[part.users]
    before = spans(starts, part.cuts)
    asked = spans(starts + part.cuts, part.stops - part.cuts)
    history = Ragged(before.offsets, interactions.items[before.values])
    targets = Ragged(asked.offsets, interactions.items[asked.values])
    times = part.times
    if times is None and interactions.timestamps is not None:
        times = interactions.timestamps[starts + part.cuts]
    met = _distinct(history, size)
    targets, dropped = _kept_targets(targets, met, size, conventions, eligible)
    stamps = None if interactions.timestamps is None else Ragged(before.offsets, interactions.timestamps[before.values])
    kept = np.flatnonzero(targets.lengths > 0)
    dropped["requests"] = len(part) - len(kept)
    return Asked(
        users=part.users[kept],
        keys=part.users[kept] * KEY_STRIDE + part.cuts[kept],
        history=history.take(kept),
        history_times=None if stamps is None else stamps.take(kept),
        times=None if times is None else times[kept],
        exclude=met.take(kept) if conventions.seen == "filtered" else Ragged.empty(len(kept)),
        targets=targets.take(kept),
        dropped=dropped,
    )


def _kept_targets(
    targets: Ragged, met: Ragged, size: int, conventions: Conventions, eligible: NDArray[np.bool_] | None
) -> tuple[Ragged, dict[str, int]]:
    """The targets that count, and how many do not, by the first reason that applies."""
    dropped = {"seen": 0, "repeated": 0, "not_eligible": 0}
    if conventions.seen == "filtered":
        known = _keys(met, size)
        targets, dropped["seen"] = _without(targets, _contains(known, _keys(targets, size)))
    if conventions.repeats == "once":
        again = np.ones(len(targets.values), np.bool_)
        again[np.unique(_keys(targets, size), return_index=True)[1]] = False  # the first of each
        targets, dropped["repeated"] = _without(targets, again)
    if eligible is not None:
        targets, dropped["not_eligible"] = _without(targets, ~eligible[targets.values])
    return targets, dropped


def _without(targets: Ragged, drop: NDArray[np.bool_]) -> tuple[Ragged, int]:
    return targets.keep(~drop), int(drop.sum())


def _keys(ragged: Ragged, size: int) -> NDArray[np.int64]:
    """A number for each (row, value), int64; sorted where the rows are."""
    keys: NDArray[np.int64] = ragged.rows() * np.int64(size) + ragged.values
    return keys


def _distinct(ragged: Ragged, size: int) -> Ragged:
    """Each row's values once, sorted."""
    keys = np.sort(_keys(ragged, size))
    keys = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]  # ten times as fast as np.unique's hash table
    return Ragged.from_keys(keys // size, (keys % size).astype(np.int32), len(ragged))


def _contains(ordered: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of `keys` occur in `ordered` (sorted), bool [len(keys)]."""
    if not len(ordered):
        return np.zeros(len(keys), np.bool_)
    at = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[at] == keys
    return found
