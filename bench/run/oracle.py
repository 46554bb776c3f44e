"""The oracle: the exact top-k under a method's own scorer over all candidates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.answer import Answer
from bench.context import Context
from bench.data.tables import Catalog, Requests
from bench.errors import InvalidAnswer

LEAST_REQUESTS, SCORES = 500, 5e8
REQUEST_BLOCK, ITEM_BLOCK = 128, 8192


def sample(requests: int, catalog: Catalog, rng: np.random.Generator) -> NDArray[np.int64]:
    """Sorted rows of the requests that the oracle answers: all, or min(all, max(500, 5e8 / items)) of them."""
    size = min(requests, max(LEAST_REQUESTS, int(SCORES / max(1, len(catalog.candidates())))))
    return np.sort(rng.choice(requests, size, replace=False)) if size < requests else np.arange(requests)


def exact_top(score: Callable[..., Any], requests: Requests, catalog: Catalog, k: int, context: Context) -> Answer:
    """The k best candidates of each request by brute force, in blocks of requests x items."""
    candidates = catalog.candidates()
    rows = []
    for begin in range(0, len(requests), REQUEST_BLOCK):
        block = requests[begin : begin + REQUEST_BLOCK]
        best: Answer | None = None
        for first in range(0, len(candidates), ITEM_BLOCK):
            items = candidates[first : first + ITEM_BLOCK]
            scores = score(requests=block, items=items, context=context)
            shape = (len(block), len(items))
            if not isinstance(scores, np.ndarray) or scores.shape != shape or np.isnan(scores).any():
                raise InvalidAnswer(f"score must give an array of numbers of shape {list(shape)}, none of them NaN")
            found = Answer.top(items, scores, k, block.exclude)
            best = found if best is None else _merge(best, found, k)
        if best is not None:
            rows.append(best)
        context.progress(begin + len(block), len(requests), "every candidate scored")
    if not rows:
        return Answer(np.zeros((0, k), np.int32))
    return Answer(np.concatenate([one.ids for one in rows]))


def _merge(one: Answer, other: Answer, k: int) -> Answer:
    assert one.scores is not None and other.scores is not None
    return Answer.top(np.hstack([one.ids, other.ids]), np.hstack([one.scores, other.scores]), k)
