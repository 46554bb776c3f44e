"""What a search asks of a scorer, and how the requests of a batch are shared out to threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Requests

REQUESTS_AT_ONCE = 64  # of a search: large enough for matrix products, small enough for the caches


class Scorer(Protocol):
    """Scores nodes of the graph for a fixed batch of B requests; higher is better."""

    def part(self, start: int, stop: int) -> Self:
        """The scorer of the requests start .. stop - 1, to be called from a thread of its own, which it leaves alone
        to do the work."""

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """The scores of the nodes start .. stop - 1 for every request, float32 [B, stop - start]."""

    def pairs(self, nodes: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        """The scores float32 [B, C] of nodes int32 [B, C], of which the first counts int64 [B] of each row matter; the
        others are valid node numbers whose scores are ignored. The array may be written anew by the next call."""


def in_threads(scorer: Scorer, batch: int, threads: int, run: Callable[[Scorer, int, int], Answer]) -> Answer:
    """run(scorer of the part, start, stop) for equal parts of the requests, each in a thread of its own, joined.

    Parts have no need to wait for one another, and what one thread works on stays in its core's cache. A single
    request is run as it is: the scorer may use all threads.
    """
    parts = min(threads, batch)
    if parts <= 1:
        return run(scorer, 0, batch)
    cuts = [batch * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        runs = [pool.submit(run, scorer.part(start, stop), start, stop) for start, stop in pairwise(cuts)]
        return joined([one.result() for one in runs])


def in_blocks(requests: Requests, answer: Callable[[Requests], Answer]) -> Answer:
    """The answers to all of the requests, REQUESTS_AT_ONCE after another."""
    begins = range(0, max(1, len(requests)), REQUESTS_AT_ONCE)
    return joined([answer(requests[at : at + REQUESTS_AT_ONCE]) for at in begins])


def joined(answers: list[Answer]) -> Answer:
    """The answers of consecutive blocks of requests as one."""
    parts = [(one.ids, one.scores, one.work) for one in answers]
    ids, scores, work = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Answer(ids, scores, work)
