"""Recall on the validation requests by exact scores: what early stopping looks at."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Evaluation, Requests, recall
from bench_neural.network import Network

MOST_REQUESTS = 4_000  # enough to tell epochs apart
FEWEST = 30  # of fewer requests the best epoch is the luckiest one
CANDIDATES = 10_000  # of a large catalog, that the targets are ranked among by a whole score
REQUESTS = 300  # that are then asked at most
REQUESTS_AT_ONCE = 8


def some_of(evaluation: Evaluation, rng: np.random.Generator, most: int = MOST_REQUESTS) -> Evaluation:
    """`evaluation`, or `most` of its requests drawn at random where it has more."""
    count = len(evaluation.requests)
    if count <= most:
        return evaluation
    rows = np.sort(rng.choice(count, most, replace=False))
    return Evaluation(evaluation.requests.take(rows), evaluation.targets.take(rows))


def mean_recall(total: float, count: int) -> float:
    """The mean recall of `count` requests; nan of fewer than FEWEST, which cannot tell epochs apart."""
    return total / count if count >= FEWEST else math.nan


def validation_recall(users: Tensor, items: Tensor, evaluation: Evaluation, k: int = 50) -> float:
    """Mean recall@k of inner products: users (B, d), or (B, K, d) of which the best counts, items (N, d), the requests'
    excluded items left out; or nan (see `mean_recall`)."""
    total = 0.0
    rows = max(1, (1 << 24) // max(1, len(items) * (users.shape[1] if users.dim() == 3 else 1)))
    for begin in range(0, len(users), rows):
        part = slice(begin, begin + rows)
        scores = users[part] @ items.T  # (rows, N) or (rows, K, N)
        scores = scores.amax(1) if scores.dim() == 3 else scores
        total += recall_of_scores(scores, Evaluation(evaluation.requests[part], evaluation.targets[part]), k)
    return mean_recall(total, len(users))


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


class Validation:
    """Mean recall@k of the whole score over a sample of requests and items that stays the same from call to call.

    Up to 10,000 items all are candidates; of a larger catalog the targets and 10,000 others are, drawn evenly, and k
    falls with the share that they are (to no less than 10), so that the recall tells epochs apart as that over all
    items would. Of fewer than FEWEST requests it is nan.
    """

    def __init__(self, evaluation: Evaluation, size: int, rng: np.random.Generator, k: int = 50) -> None:
        self.evaluation = some_of(evaluation, rng, REQUESTS)
        drawn = rng.choice(size, min(CANDIDATES, size), replace=False)
        self.candidates = np.union1d(drawn, self.evaluation.targets.values).astype(np.int64)  # (C,)
        self.k = max(min(k, 10), round(k * len(self.candidates) / max(1, size)))

    def __call__(self, network: Network) -> float:
        items = network.items()  # (N, d + 1)
        table = network.scorer.items(items[torch.from_numpy(self.candidates).to(items.device)])  # (C, width)
        return self.recall(lambda requests: network.scorer.block(network.requests(requests, items), table))

    def recall(self, scores_of: Callable[[Requests], Tensor]) -> float:
        """scores_of: the scores (B, C) of the candidates for some of the requests."""
        total = 0.0
        for begin in range(0, len(self.evaluation.requests), REQUESTS_AT_ONCE):
            part = slice(begin, begin + REQUESTS_AT_ONCE)
            requests = self.evaluation.requests[part]
            total += recall_of_scores(
                scores_of(requests), Evaluation(requests, self.evaluation.targets[part]), self.k, self.candidates
            )
        return mean_recall(total, len(self.evaluation.requests))
