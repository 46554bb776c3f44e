"""How well answers hit targets: pure functions of arrays.

Throughout, ids are int32 [B, k'] (best first, -1 pads, which never count) and targets a Ragged of B rows. Fewer than k
answers are scored as they are: precision still divides by k. A request without targets has no value: NaN.

Where targets repeat (convention `repeats = "each"`), each occurrence counts: the gain of an answer is the number of
times it is a target. The ideal order of NDCG takes the most repeated targets first, MRR and the precisions inside
MAP count an answer once, and precision and F1 may exceed 1, as in the papers that count so.

`over` says what recall and MAP are divided by: "all" targets of the request, or "min_k", those that k answers
can reach, min(k, number of targets) where none repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.data.ragged import Ragged

Over = Literal["all", "min_k"]
Values = NDArray[np.float32]

NAMES = ("precision", "recall", "f1", "hit_rate", "ndcg", "mrr", "map")


def precision(ids: NDArray[np.int32], targets: Ragged, k: int) -> Values:
    """Targets among the first k answers, divided by k: float32 [B]."""
    return _one(ids, targets, k, "precision")


def recall(ids: NDArray[np.int32], targets: Ragged, k: int, over: Over = "all") -> Values:
    """Share of each request's targets among its first k answers: ids int32 [B, k'] -> float32 [B]."""
    return _one(ids, targets, k, "recall", over)


def f1(ids: NDArray[np.int32], targets: Ragged, k: int, over: Over = "all") -> Values:
    """Harmonic mean of precision and recall: float32 [B], 0 where both are."""
    return _one(ids, targets, k, "f1", over)


def hit_rate(ids: NDArray[np.int32], targets: Ragged, k: int) -> Values:
    """1 where a target is among the first k answers, else 0: float32 [B]."""
    return _one(ids, targets, k, "hit_rate")


def ndcg(ids: NDArray[np.int32], targets: Ragged, k: int) -> Values:
    """Sum of 1 / log2(rank + 1) over the targets found, ranks from 1, by that of the ideal answer: float32 [B].

    The ideal answer holds min(k, number of targets) targets, found or not.
    """
    return _one(ids, targets, k, "ndcg")


def mrr(ids: NDArray[np.int32], targets: Ragged, k: int) -> Values:
    """1 / rank of the first target among the first k answers, ranks from 1, 0 without one: float32 [B]."""
    return _one(ids, targets, k, "mrr")


def average_precision(ids: NDArray[np.int32], targets: Ragged, k: int, over: Over = "all") -> Values:
    """Sum of the precision at the rank of each target found, divided as recall is: float32 [B]. Its mean is MAP."""
    return _one(ids, targets, k, "map", over)


def target_ranks(ids: NDArray[np.int32], targets: Ragged, depth: int) -> NDArray[np.int32]:
    """The rank from 0 of each target among its request's first `depth` answers: int32 [len(targets.values)].

    2**31 - 1 where the target is not among them.
    """
    from bench.metrics.hits import rank_targets

    if len(ids) != len(targets):
        raise ValueError(f"{len(ids)} answers for {len(targets)} rows of targets; there must be one answer a request")
    if len(targets.values) and targets.values.min() < 0:
        raise ValueError(f"target {targets.values.min()} is no item: targets are ids from 0")
    size = int(targets.values.max(initial=-1)) + 1
    ids = np.ascontiguousarray(ids, np.int32)
    width = min(depth, ids.shape[1])
    return rank_targets(ids, width, targets.offsets, np.ascontiguousarray(targets.values, np.int32), size)


def measure_ranks(ranks: NDArray[np.int32], targets: Ragged, ks: Sequence[int], over: Over) -> dict[str, Values]:
    """Every metric at every k, {"recall@50": float32 [B]}, from `target_ranks` of depth max(ks) or more."""
    from bench.metrics.hits import measure

    if any(k < 1 for k in ks):
        raise ValueError(f"k counts answers and is at least 1, not {min(ks)}")
    if over not in ("all", "min_k"):
        raise ValueError(f'recall is taken over "all" targets or "min_k", not {over!r}')
    depths = sorted(set(ks))
    values = np.ascontiguousarray(targets.values, np.int32)
    size = int(values.max(initial=-1)) + 1
    measured = measure(
        ranks, targets.offsets, values, size, np.array(depths, np.int64), over == "min_k"
    )  # (7, len(ks), B)
    return {f"{name}@{k}": measured[at, column] for at, name in enumerate(NAMES) for column, k in enumerate(depths)}


def measure_all(ids: NDArray[np.int32], targets: Ragged, ks: Sequence[int], over: Over = "all") -> dict[str, Values]:
    """Every metric of this module at every k, the targets looked up once: {"recall@50": float32 [B], ...}."""
    return measure_ranks(target_ranks(ids, targets, max(ks, default=0)), targets, ks, over)


def _one(ids: NDArray[np.int32], targets: Ragged, k: int, name: str, over: Over = "all") -> Values:
    return measure_all(ids, targets, (k,), over)[f"{name}@{k}"]
