"""The merging of newly scored candidates into the beams, compiled."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def merge(found, scores, counts, width, k, beam, beam_scores, fresh, beam_counts, improved):  # type: ignore[no-untyped-def]
    """Keep the `width` best of each row's beam and its newly scored nodes, best first, old ones first among equals.

    found int32 and scores float32 [B, C], counts int64 [B]: the first so many of each row; beam int32, beam_scores
    float32 and fresh bool (not expanded yet) [B, W], W >= width, best first, and beam_counts int64 [B]: changed;
    improved bool [B] is written: whether a new one is among the best k.
    """
    keys = np.empty(scores.shape[1], np.int64)
    for row in range(len(counts)):
        size, count = min(beam_counts[row], width), 0
        nodes, tops, new, values = beam[row], beam_scores[row], fresh[row], scores[row]
        least = tops[width - 1] if size == width else np.float32(-np.inf)
        bits = values.view(np.int32)
        for at in range(counts[row]):
            if values[at] > least or size < width:
                order = bits[at] ^ ((bits[at] >> np.int32(31)) & np.int32(0x7FFFFFFF))  # sorts as the score does
                keys[count] = (np.int64(~order) << np.int64(32)) | np.int64(at)  # best first
                count += 1
        some = keys[:count]
        some.sort()
        kept, taken, first = 0, 0, width  # how many old ones and new ones stay, where the first new one comes
        while kept + taken < min(width, size + count):
            if taken < count and (kept == size or values[some[taken] & 0xFFFFFFFF] > tops[kept]):
                first = min(first, kept)
                taken += 1
            else:
                kept += 1
        beam_counts[row], improved[row] = kept + taken, taken > 0 and first < k
        while taken:
            at, place = some[taken - 1] & 0xFFFFFFFF, kept + taken - 1
            if kept and tops[kept - 1] < values[at]:
                kept -= 1
                nodes[place], tops[place], new[place] = nodes[kept], tops[kept], new[kept]
            else:
                taken -= 1
                nodes[place], tops[place], new[place] = found[row, at], values[at], True
