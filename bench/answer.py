"""What a method answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.ragged import Ragged


@dataclass(frozen=True, slots=True)
class Answer:
    """The items of each request, best first.

    ids int32 [B, k], distinct within a row, -1 pads at the end where fewer than k items could be found; scores float32
    [B, k] or None; work int32 [B] or None: evaluations spent on each request, in the unit that the method's class
    names as `work_unit`.
    """

    ids: NDArray[np.int32]
    scores: NDArray[np.float32] | None = None
    work: NDArray[np.int32] | None = None

    @staticmethod
    def top(
        ids: NDArray[np.int32],
        scores: NDArray[np.float32],
        k: int,
        exclude: Ragged | None = None,
        work: NDArray[np.int32] | None = None,
    ) -> Answer:
        """The k best of each row's candidates that are not excluded.

        ids int32 [B, C] (or [C], the same candidates for every row), distinct within a row, -1 for none; scores
        float32 [B, C]. Equal scores keep the order of the candidates.
        """
        rows, width = scores.shape
        shared = ids.ndim == 1
        scores = np.array(scores, np.float32)
        blocked = np.broadcast_to(ids < 0, scores.shape)
        if exclude is not None and len(exclude.values):
            if shared:
                position = np.full(int(max(ids.max(initial=-1), exclude.values.max())) + 1, -1, np.int64)
                position[ids] = np.arange(width)
                row, column = exclude.rows(), position[exclude.values]
                scores[row[column >= 0], column[column >= 0]] = -np.inf
            else:
                span = np.int64(max(int(ids.max(initial=0)), int(exclude.values.max())) + 1)
                keys = ids + np.arange(rows)[:, None] * span
                blocked = blocked | np.isin(keys, exclude.values + exclude.rows() * span)
        scores[blocked] = -np.inf
        if width > 4 * k:
            best = _best(scores, k)
        else:
            best = np.broadcast_to(np.arange(width), scores.shape)
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(best, order, 1)
        top_scores = np.take_along_axis(scores, best, 1)
        top_ids = ids[best] if shared else np.take_along_axis(ids, best, 1)
        top_ids = np.where(top_scores == -np.inf, -1, top_ids).astype(np.int32)
        if width < k:
            pad = ((0, 0), (0, k - width))
            top_ids = np.pad(top_ids, pad, constant_values=-1)
            top_scores = np.pad(top_scores, pad, constant_values=-np.inf)
        return Answer(top_ids, top_scores, work)


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The columns [B, k] of each row's k largest scores, ascending; of equal scores the first columns."""
    bound = np.partition(scores, -k, axis=1)[:, -k, None]  # (B, 1)
    chosen = scores >= bound
    surplus = np.count_nonzero(chosen) - k * len(scores)
    if surplus > 0:
        tied = scores == bound
        room = k - np.count_nonzero(scores > bound, axis=1)[:, None]
        chosen &= ~tied | (np.cumsum(tied, axis=1, dtype=np.int32) <= room)
    if np.isnan(bound).any() or np.count_nonzero(chosen) != k * len(scores):  # NaN: an answer that will be refused
        return np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    return np.nonzero(chosen)[1].reshape(len(scores), k)
