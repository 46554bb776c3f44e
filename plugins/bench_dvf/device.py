"""The network's scorer as the search on a device calls it: tensors in, tensors out, nothing leaves the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from bench_neural.scorers import Asked, Scorer

PAIRS_AT_ONCE = 1 << 18  # bounds the memory that scoring takes


class DevicePairScorer:
    """Scores for a fixed batch of B requests over rows of a table (N, width) on the device; a DeviceScorer."""

    def __init__(self, scorer: Scorer, asked: Asked, table: Tensor) -> None:
        self.scorer, self.asked, self.table = scorer, asked, table

    def block(self, start: int, stop: int) -> Tensor:
        """The scores float32 (B, stop - start) of the rows start .. stop - 1 of the table."""
        parts = self.table[start:stop].float().split(max(1, PAIRS_AT_ONCE // max(1, len(self.asked))))
        return torch.cat([self.scorer.block(self.asked, part) for part in parts], 1)

    def pairs(self, nodes: Tensor) -> Tensor:
        """The scores float32 (B, C) of each request's own nodes int64 (B, C)."""
        parts = nodes.split(max(1, PAIRS_AT_ONCE // max(1, len(nodes))), 1)
        return torch.cat([self.scorer.pairs(self.asked, self.table[part].float()) for part in parts], 1)
