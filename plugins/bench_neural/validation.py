"""Recall on the validation requests by exact search: what early stopping looks at."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Evaluation, recall

MOST_REQUESTS = 4_000  # enough to tell epochs apart


def some_of(evaluation: Evaluation, rng: np.random.Generator, most: int = MOST_REQUESTS) -> Evaluation:
    """`evaluation`, or `most` of its requests drawn at random where it has more."""
    count = len(evaluation.requests)
    if count <= most:
        return evaluation
    rows = np.sort(rng.choice(count, most, replace=False))
    return Evaluation(evaluation.requests.take(rows), evaluation.targets.take(rows))


def validation_recall(users: Tensor, items: Tensor, evaluation: Evaluation, k: int = 50) -> float:
    """Mean recall@k of inner products: users (B, d), items (N, d), the requests' excluded items left out."""
    total = 0.0
    rows = max(1, (1 << 24) // max(1, len(items)))
    for begin in range(0, len(users), rows):
        part = slice(begin, begin + rows)
        scores = users[part] @ items.T  # (rows, N)
        total += recall_of_scores(scores, Evaluation(evaluation.requests[part], evaluation.targets[part]), k)
    return total / max(1, len(users))


def recall_of_scores(
    scores: Tensor, evaluation: Evaluation, k: int = 50, candidates: NDArray[np.int64] | None = None
) -> float:
    """Sum of recall@k over requests by scores (B, C) of the candidates, int64 [C] ascending, or of all items.

    Changes `scores` where items are excluded.
    """
    exclude = evaluation.requests.exclude
    rows, ids = exclude.rows(), exclude.values.astype(np.int64)
    if candidates is not None:
        places = np.searchsorted(candidates, ids).clip(max=len(candidates) - 1)
        inside = candidates[places] == ids
        rows, ids = rows[inside], places[inside]
    inside = ids < scores.shape[1]
    where = (torch.from_numpy(part[inside]).to(scores.device) for part in (rows, ids))
    scores[tuple(where)] = -torch.inf
    best = scores.topk(min(k, scores.shape[1])).indices.int().cpu().numpy()  # (B, k)
    if candidates is not None:
        best = candidates[best].astype(np.int32)
    return float(recall(best, evaluation.targets, k).sum())
