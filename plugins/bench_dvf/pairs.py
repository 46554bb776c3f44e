"""The network's scorer as the graph search and the oracle call it: numpy in, numpy out, in blocks that fit a cache."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench_neural.scorers import Asked, TargetAttentionScorer

PAIRS_AT_ONCE = 8192


class PairScorer:
    """Scores for a fixed batch of B requests over rows of a table of prepared items; a bench_index Scorer.

    table (N, width): what the scorer computed from each item alone, in the order of the graph's nodes.
    """

    def __init__(self, scorer: TargetAttentionScorer, asked: Asked, table: Tensor) -> None:
        self.scorer, self.asked, self.table = scorer, asked, table

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """The scores float32 [B, stop - start] of the rows start .. stop - 1 of the table."""
        batch, wide = len(self.asked), min(stop - start, PAIRS_AT_ONCE)
        scores = np.empty((batch, stop - start), np.float32)
        high = max(1, PAIRS_AT_ONCE // max(1, wide))
        for first in range(0, batch, high):
            asked = self.asked.rows(first, first + high)
            for left in range(start, stop, max(1, wide)):
                right = min(left + wide, stop)
                part = self.scorer.block(asked, self.table[left:right])
                scores[first : first + high, left - start : right - start] = part.cpu().numpy()
        return scores

    def pairs(self, nodes: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        """The scores float32 [B, C] of nodes int32 [B, C]; those beyond a row's count may be anything."""
        batch, wide = nodes.shape
        scores = np.empty((batch, wide), np.float32)
        high = max(1, PAIRS_AT_ONCE // max(1, wide))
        for first in range(0, batch, high):
            if not (most := int(counts[first : first + high].max(initial=0))):
                continue
            rows = torch.from_numpy(nodes[first : first + high, :most].reshape(-1)).to(self.table.device)
            items = self.table.index_select(0, rows).view(-1, most, self.table.shape[1])  # (high, most, width)
            part = self.scorer.pairs(self.asked.rows(first, first + high), items)
            scores[first : first + high, :most] = part.cpu().numpy()
        return scores
