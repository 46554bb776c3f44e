"""Recall on the validation requests by the whole score: what early stopping looks at."""

from __future__ import annotations

import numpy as np
import torch

from bench import Evaluation
from bench_dvf.network import Network
from bench_neural.validation import recall_of_scores, some_of

CANDIDATES = 10_000  # of a large catalog, that the targets are ranked among
REQUESTS = 300  # that are asked at most
REQUESTS_AT_ONCE = 8


class Validation:
    """Mean recall@k of the whole score over a sample of requests and items that stays the same from call to call.

    Up to 10,000 items all are candidates; of a larger catalog the targets and 10,000 others are, drawn evenly, and k
    falls with the share that they are (to no less than 10), so that the recall tells epochs apart as that over all
    items would.
    """

    def __init__(self, evaluation: Evaluation, size: int, rng: np.random.Generator, k: int = 50) -> None:
        self.evaluation = some_of(evaluation, rng, REQUESTS)
        drawn = rng.choice(size, min(CANDIDATES, size), replace=False)
        self.candidates = np.union1d(drawn, self.evaluation.targets.values).astype(np.int64)  # (C,)
        self.k = max(min(k, 10), round(k * len(self.candidates) / max(1, size)))

    def __call__(self, network: Network) -> float:
        items = network.items()  # (N, d + 1)
        table = network.scorer.items(items[torch.from_numpy(self.candidates).to(items.device)])  # (C, width)
        total = 0.0
        for begin in range(0, len(self.evaluation.requests), REQUESTS_AT_ONCE):
            part = slice(begin, begin + REQUESTS_AT_ONCE)
            requests = self.evaluation.requests[part]
            scores = network.scorer.block(network.requests(requests, items), table)  # (B, C)
            total += recall_of_scores(
                scores, Evaluation(requests, self.evaluation.targets[part]), self.k, self.candidates
            )
        return total / max(1, len(self.evaluation.requests))
