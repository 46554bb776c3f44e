"""How well answers hit targets: pure functions of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.data.ragged import Ragged


def recall(ids: NDArray[np.int32], targets: Ragged, k: int) -> NDArray[np.float32]:
    """Share of each request's targets among its first k answers: ids int32 [B, >= k] -> float32 [B]."""
    answered = ids[:, :k].astype(np.int64)
    span = np.int64(max(answered.max(initial=0), targets.values.max(initial=0)) + 1)
    rows = np.arange(len(targets))[:, None] * span
    found = np.isin(targets.values + targets.rows() * span, np.where(answered < 0, -1, answered + rows))
    hits = np.bincount(targets.rows(), weights=found, minlength=len(targets))
    return (hits / np.maximum(targets.lengths, 1)).astype(np.float32)
