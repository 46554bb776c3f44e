"""Answering many requests in blocks of bounded memory, several blocks at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bench import Answer, Requests

CELLS_PER_BLOCK = 4_000_000


def answer_in_blocks(requests: Requests, width: int, threads: int, answer: Callable[[Requests], Answer]) -> Answer:
    """`answer(requests)`, put together from blocks of at most CELLS_PER_BLOCK / `width` requests.

    width: cells of memory that one request needs; threads: blocks worked on at once, so `answer` must be thread-safe.
    """
    rows = max(1, CELLS_PER_BLOCK // max(width, 1))
    if threads > 1:
        rows = max(1, min(rows, -(-len(requests) // threads)))
    if len(requests) <= rows:
        return answer(requests)
    blocks = [requests[start : start + rows] for start in range(0, len(requests), rows)]
    if threads == 1:
        answers = [answer(block) for block in blocks]
    else:
        with ThreadPoolExecutor(threads) as pool:
            answers = list(pool.map(answer, blocks))
    return Answer(
        np.concatenate([one.ids for one in answers]),
        np.concatenate([one.scores for one in answers if one.scores is not None]),
        np.concatenate([one.work for one in answers if one.work is not None]),
    )
