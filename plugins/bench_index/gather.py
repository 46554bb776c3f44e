"""Rows of a table that lie anywhere in memory, brought together as float32."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from bench_index.prefetch import LINE, fetch

AHEAD = 8  # rows that are on their way from memory while one is copied


def gather(table: NDArray[Any], nodes: NDArray[np.int32], out: NDArray[np.float32]) -> None:
    """Copy the rows nodes int32 [B, C] of table [N, W] to the first B C rows of out float32 [P, W].

    table: float32, or uint16 that holds the upper halves of float32 numbers (bfloat16).
    """
    if table.dtype == np.uint16:
        _gather(table, nodes, out.view(np.uint32), np.uint32(16), LINE // 2)
    else:
        _gather(table.view(np.uint32), nodes, out.view(np.uint32), np.uint32(0), LINE // 4)


@numba.njit(cache=True, nogil=True)
def _gather(table, nodes, out, shift, line):  # type: ignore[no-untyped-def]
    """`shift` also keeps the compiler from calling a copying routine, which is slow for rows this short."""
    width, flat, count = table.shape[1], table.reshape(-1), 0
    for row in range(len(nodes)):
        wanted = nodes[row]
        for at in range(len(wanted)):
            if at + AHEAD < len(wanted):
                begin = np.int64(wanted[at + AHEAD]) * width
                for column in range(0, width, line):
                    fetch(flat, begin + column)
            source, mine = table[np.uint32(wanted[at])], out[count]
            for column in range(width):
                mine[column] = np.uint32(source[column]) << shift
            count += 1
