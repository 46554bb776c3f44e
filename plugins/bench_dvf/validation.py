"""Recall on the validation requests by the whole score: what early stopping looks at."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bench import Evaluation, Requests, recall
from bench_dvf.network import Network

SHORTLIST = 500
REQUESTS_AT_ONCE = 64


def shortlist_recall(network: Network, evaluation: Evaluation, k: int = 50) -> float:
    """Mean recall@k of the best k by the whole score among the 500 items of the largest inner product.

    The refinement starts at zero and rarely lifts an item from further down, so this follows the recall over the whole
    catalog at a fraction of its cost.
    """
    items = network.items()  # (N, d + 1)
    table = network.scorer.items(items)  # (N, width)
    total = 0.0
    for begin in range(0, len(evaluation.requests), REQUESTS_AT_ONCE):
        requests = evaluation.requests[begin : begin + REQUESTS_AT_ONCE]
        best = _best(network, requests, items, table, k)
        total += float(recall(best, evaluation.targets[begin : begin + REQUESTS_AT_ONCE], k).sum())
    return total / max(1, len(evaluation.requests))


def _best(network: Network, requests: Requests, items: Tensor, table: Tensor, k: int) -> np.ndarray:
    """The best k of the shortlist, int32 [B, k]."""
    asked = network.requests(requests, items)
    inner = asked.state @ items.T  # (B, N)
    rows = torch.from_numpy(requests.exclude.rows()).to(items.device)
    barred = torch.from_numpy(requests.exclude.values.astype(np.int64)).to(items.device)
    inner[rows, barred] = -torch.inf
    kept, shortlist = inner.topk(min(SHORTLIST, len(items)))  # (B, S)
    scores = network.scorer.pairs(asked, table[shortlist])  # (B, S)
    scores = torch.where(kept == -torch.inf, -torch.inf, scores)
    best = scores.topk(min(k, scores.shape[1])).indices  # (B, k)
    found: np.ndarray = shortlist.gather(1, best).int().cpu().numpy()
    return found
