"""How far answers go beyond what the user has met and what everybody buys: pure functions of arrays.

ids are int32 [B, k'] (best first, -1 pads). Shares are taken over the answers that are there; without any: NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.data.ragged import Ragged
from bench.metrics.groups import popularity_percentiles

Values = NDArray[np.float32]


def novelty(ids: NDArray[np.int32], history: Ragged, ks: Sequence[int]) -> dict[str, Values]:
    """Share of the first k answers that are not in the request's history: {"novelty@50": float32 [B]}.

    It tells something only where items of the history may be answered.
    """
    from bench.metrics.counts import count_members

    values = np.ascontiguousarray(history.values, np.int32)
    size = int(values.max(initial=-1)) + 1
    depths = np.array(sorted(set(ks)), np.int64)
    met = count_members(np.ascontiguousarray(ids, np.int32), history.offsets, values, size, depths)  # (len(ks), B)
    _, given = _sums(ids, np.zeros(int(ids.max(initial=-1)) + 1), depths)
    return {f"novelty@{k}": 1 - _share(met[at], given[at]) for at, k in enumerate(depths)}


def popularity_percentile(
    ids: NDArray[np.int32], popularity: NDArray[np.int64], ks: Sequence[int]
) -> dict[str, Values]:
    """Mean popularity percentile of the first k answers: {"popularity_percentile@50": float32 [B]}, 0 to 1.

    popularity int64 [items]: training interactions. The percentile of an item is the share of items that are less
    popular, equal ones counted half, so that random answers come to .5.
    """
    depths = np.array(sorted(set(ks)), np.int64)
    sums, given = _sums(ids, popularity_percentiles(popularity), depths)
    return {f"popularity_percentile@{k}": _share(sums[at], given[at]) for at, k in enumerate(depths)}


def _sums(
    ids: NDArray[np.int32], values: NDArray[np.float64], ks: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    from bench.metrics.counts import sum_values

    if ids.max(initial=-1) >= len(values):
        raise ValueError(f"answer {ids.max()} lies outside of a catalog of {len(values)} items")
    return sum_values(np.ascontiguousarray(ids, np.int32), values, ks)


def _share(part: NDArray[np.int64] | NDArray[np.float64], whole: NDArray[np.int64]) -> Values:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan).astype(np.float32)
