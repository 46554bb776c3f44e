"""The set operations of graph search as compiled kernels over the rows of a batch.

All of them release the interpreter lock. A request's visited set is a bitmap over the nodes: uint64 words, bit
`node & 63` of word `node >> 6`.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from bench_index.prefetch import LINE, fetch

AHEAD = 3  # candidates whose links are on their way from memory while one is expanded
LINKS_A_LINE = LINE // 4


def bitmaps(rows: int, nodes: int) -> NDArray[np.uint64]:
    """Empty visited sets, uint64 [rows, ceil(nodes / 64)]."""
    return np.zeros((rows, (nodes + 63) >> 6), np.uint64)


@numba.njit(cache=True, nogil=True)
def expand(offsets, links, beam, fresh, beam_counts, left, quota, room, visited, found, counts):  # type: ignore[no-untyped-def]
    """Find up to `quota` unvisited neighbours of each row's beam, best candidate first, and mark them as visited.

    offsets int64 [N + 1], links int32: the layer; beam int32, fresh bool [B, W], beam_counts int64 [B]: a candidate
    whose neighbours were all looked at is fresh no longer, one at which the quota was reached stays so; left int64
    [B]: so many candidates may yet be expanded; room int64 [B]: so many items may yet be found; both fall;
    found int32 [B, C] and counts int64 [B] are written, C more than the quota.
    """
    one = np.uint64(1)
    for row in range(len(counts)):
        seen, mine = visited[row], found[row]
        bound, count = min(quota, room[row]), 0
        for at in range(beam_counts[row]):
            if count >= bound or left[row] <= 0:
                break
            if not fresh[row, at]:
                continue
            if at + 2 * AHEAD < beam_counts[row] and fresh[row, at + 2 * AHEAD]:
                fetch(offsets, np.int64(beam[row, at + 2 * AHEAD]))
            if at + AHEAD < beam_counts[row] and fresh[row, at + AHEAD]:
                later = beam[row, at + AHEAD]
                for link in range(offsets[later], offsets[later + 1], LINKS_A_LINE):
                    fetch(links, link)
            node = beam[row, at]
            begin, end = offsets[node], offsets[node + 1]
            whole = True
            if count + (end - begin) <= bound:
                for link in range(begin, end):  # no branch: whether a neighbour is new cannot be foreseen
                    other = np.uint32(links[link])
                    word, bit = other >> np.uint32(6), np.uint64(other & np.uint32(63))
                    mine[count] = links[link]
                    count += np.int64((~seen[word] >> bit) & one)
                    seen[word] |= one << bit
            else:
                for link in range(begin, end):
                    other = np.uint32(links[link])
                    word, bit = other >> np.uint32(6), np.uint64(other & np.uint32(63))
                    if (seen[word] >> bit) & one:
                        continue
                    if count >= bound:
                        whole = False
                        break
                    mine[count] = links[link]
                    count += 1
                    seen[word] |= one << bit
            if whole:
                fresh[row, at] = False
                left[row] -= 1
        counts[row] = count
        room[row] -= count


@numba.njit(cache=True, nogil=True)
def most_links(offsets, beam, fresh, beam_counts):  # type: ignore[no-untyped-def]
    """The largest number of links that leave one row's fresh candidates: a bound of what `expand` can find."""
    most = 0
    for row in range(len(beam)):
        total = 0
        for at in range(beam_counts[row]):
            if fresh[row, at]:
                total += offsets[beam[row, at] + 1] - offsets[beam[row, at]]
        most = max(most, total)
    return most


@numba.njit(cache=True, nogil=True)
def enter(entries, room, visited, found, counts):  # type: ignore[no-untyped-def]
    """The distinct nodes of entries int32 [B, E] (negative: none) that are not visited yet, marked as visited."""
    one = np.uint64(1)
    for row in range(len(entries)):
        count = 0
        for at in range(entries.shape[1]):
            node = entries[row, at]
            if node < 0 or count >= room[row] or visited[row, node >> 6] & (one << np.uint64(node & 63)):
                continue
            visited[row, node >> 6] |= one << np.uint64(node & 63)
            found[row, count] = node
            count += 1
        counts[row] = count
        room[row] -= count


@numba.njit(cache=True, nogil=True)
def unvisited(size, visited, wanted, found, counts):  # type: ignore[no-untyped-def]
    """The first `wanted` int64 [B] nodes of each row below `size` that are not visited yet, marked as visited."""
    one = np.uint64(1)
    for row in range(len(wanted)):
        count = 0
        for node in range(size):
            if count >= wanted[row]:
                break
            if not visited[row, node >> 6] & (one << np.uint64(node & 63)):
                visited[row, node >> 6] |= one << np.uint64(node & 63)
                found[row, count] = node
                count += 1
        counts[row] = count
