"""The network's scorer as the graph search and the oracle call it: numpy in, numpy out, in tiles that fit a cache."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench_index.gather import gather

if TYPE_CHECKING:
    from bench_neural.scorers import Asked, Scorer

TILE = 2048  # pairs scored at once: what belongs to them stays in a core's cache
DEVICE_TILE = 1 << 18
LEAST = 256  # columns that are worth another thread, which takes some 50 microseconds to begin


class PairScorer:
    """Scores for a fixed batch of B requests over rows of a table of prepared items; a bench_index Scorer.

    table (N, width), float32 or bfloat16: what the scorer computed from each item alone, in the order of the graph's
    nodes. It is kept as it is and computed with in float32. threads: each takes a share of the columns (items) of a
    call and computes alone, since waiting for one another within every operation costs more than the operation. 0: as
    many as torch uses.
    """

    def __init__(self, scorer: Scorer, asked: Asked, table: Tensor, threads: int = 0) -> None:
        threads = threads or torch.get_num_threads()
        self.scorer, self.asked, self.table, self.threads = scorer, asked, table, threads
        self.numbers = _numbers(table) if table.device.type == "cpu" else None
        self.tile = DEVICE_TILE if self.numbers is None else TILE
        self.rows = [torch.empty(0 if self.numbers is None else TILE, table.shape[1]) for _ in range(threads)]
        self.scores = np.empty((len(asked), 0), np.float32)
        self.pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None  # ends with the last reference to it

    def part(self, start: int, stop: int) -> Self:
        return type(self)(self.scorer, self.asked.rows(start, stop), self.table, threads=1)

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """The scores float32 [B, stop - start] of the rows start .. stop - 1 of the table."""
        scores = np.empty((len(self.asked), stop - start), np.float32)

        def columns(left: int, right: int, _: int) -> None:
            items = self.table[start + left : start + right].float()
            high = max(1, self.tile // (right - left))
            for first in range(0, len(self.asked), high):
                part = self.scorer.block(self.asked.rows(first, first + high), items)
                scores[first : first + high, left:right] = part.numpy(force=True)

        self._each(columns, stop - start, self.tile)
        return scores

    def pairs(self, nodes: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        """The scores float32 [B, C] of nodes int32 [B, C]; those beyond a row's count may be anything, and the next
        call may write to the same array."""
        if self.scores.shape[1] < nodes.shape[1]:
            self.scores = np.zeros(nodes.shape, np.float32)

        order, asked = None, self.asked
        if len(nodes) and counts.min() < counts.max():  # a tile is as wide as its longest row: it takes rows alike
            order = np.argsort(-counts, kind="stable")
            asked, counts = asked.ordered(torch.from_numpy(order).to(asked.state.device)), counts[order]

        def columns(left: int, right: int, thread: int) -> None:
            high = max(1, self.tile // (right - left))
            for first in range(0, len(nodes), high):
                end = min(right, int(counts[first]))
                if end <= left:
                    break
                rows = slice(first, first + high) if order is None else order[first : first + high]
                items = self._gathered(nodes[rows, left:end], self.rows[thread])
                part = self.scorer.pairs(asked.rows(first, first + high), items)
                self.scores[rows, left:end] = part.numpy(force=True)

        self._each(columns, int(counts.max(initial=0)), self.tile)
        return self.scores

    def _each(self, columns: Callable[[int, int, int], None], size: int, wide: int) -> None:
        """columns(left, right, thread) for 0 .. size - 1 in steps of at most `wide`, a share of them in each thread."""
        parts = max(1, min(self.threads, size // LEAST))

        def share(start: int, stop: int, thread: int) -> None:
            with torch.inference_mode(), _one_thread():
                for left in range(start, stop, wide):
                    columns(left, min(left + wide, stop), thread)

        shares = [
            (start, stop, at)
            for at, (start, stop) in enumerate(pairwise(size * at // parts for at in range(parts + 1)))
        ]
        others = [self.pool.submit(share, *one) for one in shares[1:]] if self.pool else []
        share(*shares[0])
        for other in others:
            other.result()

    def _gathered(self, nodes: NDArray[np.int32], buffer: Tensor) -> Tensor:
        """The rows (high, wide, width) of nodes int32 [high, wide]: on the CPU in a buffer that may be overwritten."""
        if self.numbers is None:
            return self.table[torch.from_numpy(nodes.astype(np.int64)).to(self.table.device)].float()
        gather(self.numbers, nodes, buffer.numpy())
        (high, wide), width = nodes.shape, buffer.shape[1]
        return buffer.as_strided((high, wide, width), (wide * width, width, 1))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """torch's operations use the calling thread alone; other threads keep their own number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _numbers(table: Tensor) -> NDArray[Any]:
    """The table as numpy reads it: bfloat16 as uint16."""
    if table.dtype == torch.bfloat16:
        return table.view(torch.int16).numpy().view(np.uint16)
    return table.numpy()
