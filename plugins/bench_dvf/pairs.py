"""The network's scorer as the graph search and the oracle call it: numpy in, numpy out, in tiles that fit a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench_index.gather import gather

if TYPE_CHECKING:
    from bench_neural.scorers import Asked, Scorer

TILE = 1024  # pairs scored at once: what belongs to them stays in a core's cache


class PairScorer:
    """Scores for a fixed batch of B requests over rows of a table of prepared items; a bench_index Scorer.

    table (N, width), float32 or bfloat16: what the scorer computed from each item alone, in the order of the graph's
    nodes. It is kept as it is and computed with in float32.
    """

    def __init__(self, scorer: Scorer, asked: Asked, table: Tensor, alone: bool = False) -> None:
        self.scorer, self.asked, self.table, self.alone = scorer, asked, table, alone
        self.rows = np.empty((TILE, table.shape[1]), np.float32)
        self.scores = np.empty((len(asked), 0), np.float32)

    def part(self, start: int, stop: int) -> Self:
        return type(self)(self.scorer, self.asked.rows(start, stop), self.table, alone=True)

    @torch.inference_mode()
    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """The scores float32 [B, stop - start] of the rows start .. stop - 1 of the table."""
        self._use_one_thread()
        batch = len(self.asked)
        scores = np.empty((batch, stop - start), np.float32)
        wide = min(stop - start, TILE)
        high = max(1, TILE // max(1, wide))
        for first in range(0, batch, high):
            asked = self.asked.rows(first, first + high)
            for left in range(start, stop, max(1, wide)):
                right = min(left + wide, stop)
                part = self.scorer.block(asked, self.table[left:right].float())
                scores[first : first + high, left - start : right - start] = part.cpu().numpy()
        return scores

    @torch.inference_mode()
    def pairs(self, nodes: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        """The scores float32 [B, C] of nodes int32 [B, C]; those beyond a row's count may be anything."""
        self._use_one_thread()
        batch, wide = nodes.shape
        if self.scores.shape[1] < wide:
            self.scores = np.zeros((batch, wide), np.float32)
        wide = min(wide, TILE)
        high = max(1, TILE // max(1, wide))
        for first in range(0, batch, high):
            asked = self.asked.rows(first, first + high)
            most = int(counts[first : first + high].max(initial=0))
            for left in range(0, most, wide):
                place = np.s_[first : first + high, left : min(left + wide, most)]
                self.scores[place] = self.scorer.pairs(asked, self._gathered(nodes[place])).cpu().numpy()
        return self.scores

    def _gathered(self, nodes: NDArray[np.int32]) -> Tensor:
        """The rows (high, wide, width) of nodes int32 [high, wide]: a buffer on the CPU, which may be overwritten."""
        flat, width = np.ascontiguousarray(nodes).reshape(-1), self.table.shape[1]
        if self.table.device.type != "cpu":
            return self.table[torch.from_numpy(flat).to(self.table.device)].float().view(*nodes.shape, width)
        gather(_numbers(self.table), flat, self.rows[: len(flat)])
        return torch.from_numpy(self.rows[: len(flat)]).view(*nodes.shape, width)

    def _use_one_thread(self) -> None:
        if self.alone and torch.get_num_threads() != 1:
            torch.set_num_threads(1)  # the calling thread's own


def _numbers(table: Tensor) -> NDArray[Any]:
    """The table as numpy reads it: bfloat16 as uint16."""
    if table.dtype == torch.bfloat16:
        return table.view(torch.int16).numpy().view(np.uint16)
    return table.numpy()
