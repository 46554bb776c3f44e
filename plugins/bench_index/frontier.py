"""The set operations of graph search as compiled kernels over the rows lo .. hi - 1 of a batch.

All of them release the interpreter lock, so that `Rows` can give each thread its share of the rows. A request's visited
set is a bitmap over the nodes: uint64 words, bit `node & 63` of word `node >> 6`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import numba
import numpy as np
from numpy.typing import NDArray

from bench_index.heap import rise, sink, sort

ROWS_A_THREAD = 8  # fewer are done faster by one thread than handed to another


def bitmaps(rows: int, nodes: int) -> NDArray[np.uint64]:
    """Empty visited sets, uint64 [rows, ceil(nodes / 64)]."""
    return np.zeros((rows, (nodes + 63) >> 6), np.uint64)


class Rows:
    """Runs kernels over the rows of a batch with at most `threads` threads; a context manager that ends them."""

    def __init__(self, rows: int, threads: int) -> None:
        parts = max(1, min(threads, rows // ROWS_A_THREAD))
        cuts = [rows * part // parts for part in range(parts + 1)]
        self.ranges = list(itertools.pairwise(cuts))
        self.pool = ThreadPoolExecutor(parts - 1) if parts > 1 else None

    def __call__(self, kernel: Callable[..., None], *arrays: Any) -> None:
        rest = [self.pool.submit(kernel, lo, hi, *arrays) for lo, hi in self.ranges[1:]] if self.pool else []
        kernel(*self.ranges[0], *arrays)
        for one in rest:
            one.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.pool:
            self.pool.shutdown()


@numba.njit(cache=True, nogil=True)
def expand(lo, hi, offsets, links, frontier, frontier_counts, visited, room, found, counts):  # type: ignore[no-untyped-def]
    """All unvisited neighbours of each row's frontier, marked as visited, in the order of the frontier.

    offsets int64 [N + 1], links int32: the layer; frontier int32 [B, F], frontier_counts int64 [B]; room int64 [B]: at
    most so many are taken, and it falls by as many; found int32 [B, C] and counts int64 [B] are written, C at least
    what `most_links` says or the largest room.
    """
    one = np.uint64(1)
    for row in range(lo, hi):
        count = 0
        for at in range(frontier_counts[row]):
            if count >= room[row]:
                break
            node = frontier[row, at]
            for link in range(offsets[node], offsets[node + 1]):
                other = links[link]
                word, bit = other >> 6, one << np.uint64(other & 63)
                if not visited[row, word] & bit:
                    if count >= room[row]:
                        break
                    visited[row, word] |= bit
                    found[row, count] = other
                    count += 1
        counts[row] = count
        room[row] -= count


@numba.njit(cache=True, nogil=True)
def most_links(offsets, frontier, frontier_counts):  # type: ignore[no-untyped-def]
    """The largest number of links that leave one row's frontier: a bound of what `expand` can find."""
    most = 0
    for row in range(len(frontier)):
        total = 0
        for at in range(frontier_counts[row]):
            node = frontier[row, at]
            total += offsets[node + 1] - offsets[node]
        most = max(most, total)
    return most


@numba.njit(cache=True, nogil=True)
def mark(lo, hi, offsets, nodes, visited):  # type: ignore[no-untyped-def]
    """Put the ragged nodes (offsets int64 [B + 1], nodes int32) of each row into its visited set."""
    for row in range(lo, hi):
        for at in range(offsets[row], offsets[row + 1]):
            visited[row, nodes[at] >> 6] |= np.uint64(1) << np.uint64(nodes[at] & 63)


@numba.njit(cache=True, nogil=True)
def unvisited(lo, hi, size, visited, wanted, found, counts):  # type: ignore[no-untyped-def]
    """The first `wanted` int64 [B] nodes of each row below `size` that are not visited yet, marked as visited."""
    one = np.uint64(1)
    for row in range(lo, hi):
        count = 0
        for node in range(size):
            if count >= wanted[row]:
                break
            if not visited[row, node >> 6] & (one << np.uint64(node & 63)):
                visited[row, node >> 6] |= one << np.uint64(node & 63)
                found[row, count] = node
                count += 1
        counts[row] = count


@numba.njit(cache=True, nogil=True)
def merge(lo, hi, found, scores, counts, width, beam, beam_scores, fresh, beam_counts):  # type: ignore[no-untyped-def]
    """Keep the `width` best of each row's beam and its newly scored nodes, best first.

    found int32 and scores float32 [B, C], counts int64 [B]; beam int32, beam_scores float32 and fresh bool (not
    expanded yet) [B, W], W >= width, best first, and beam_counts int64 [B]: changed.
    """
    for row in range(lo, hi):
        size = min(beam_counts[row], width)
        nodes, tops, new = beam[row], beam_scores[row], fresh[row]
        for at in range(size // 2):  # best first, turned round, is a heap
            other = size - 1 - at
            nodes[at], nodes[other] = nodes[other], nodes[at]
            tops[at], tops[other] = tops[other], tops[at]
            new[at], new[other] = new[other], new[at]
        for at in range(counts[row]):
            score = scores[row, at]
            if size < width:
                rise(tops, nodes, new, size, score, found[row, at])
                size += 1
            elif score > tops[0]:
                tops[0], nodes[0], new[0] = score, found[row, at], True
                sink(tops, nodes, new, 0, size)
        sort(tops, nodes, new, size)
        beam_counts[row] = size


@numba.njit(cache=True, nogil=True)
def pick(lo, hi, beam, fresh, beam_counts, step, frontier, counts):  # type: ignore[no-untyped-def]
    """The `step` best nodes of each row's beam that are still fresh become its frontier, and are fresh no longer.

    beam int32, fresh bool and frontier int32 [B, W]; beam_counts and counts int64 [B].
    """
    for row in range(lo, hi):
        count = 0
        for at in range(beam_counts[row]):
            if fresh[row, at] and count < step:
                frontier[row, count] = beam[row, at]
                fresh[row, at] = False
                count += 1
        counts[row] = count
