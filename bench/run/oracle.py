"""The oracle: the exact top-k under a method's own scorer over all candidates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from bench.answer import Answer
from bench.context import Context
from bench.data.tables import Catalog, Requests
from bench.errors import InvalidAnswer

LEAST_REQUESTS, SCORES = 500, 5e8
REQUEST_BLOCK, ITEM_BLOCK = 128, 8192
CHECKED = 4  # requests that are scored anew before an earlier run's answers are believed


def sample_size(requests: int, candidates: int) -> int:
    """How many requests the oracle answers: all, or min(all, max(500, 5e8 / candidates)) of them."""
    return min(requests, max(LEAST_REQUESTS, int(SCORES / max(1, candidates))))


def sample(requests: int, catalog: Catalog, rng: np.random.Generator) -> NDArray[np.int64]:
    """Sorted rows of the requests that the oracle answers: as many as `sample_size` says."""
    size = sample_size(requests, len(catalog.candidates()))
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
        return Answer(np.zeros((0, k), np.int32), np.zeros((0, k), np.float32))
    return Answer(np.concatenate([one.ids for one in rows]), np.concatenate([_scores(one) for one in rows]))


def exact_top_once(
    kept: Path, score: Callable[..., Any], requests: Requests, catalog: Catalog, k: int, context: Context
) -> Answer:
    """What `exact_top` gives, from the file `kept` where an earlier run over the same index left it.

    What lies there is believed if it holds for the first few requests, scored anew: a score that also depends on a
    query parameter does not pass, and everything is scored.
    """
    few = requests[:CHECKED]
    try:
        with kept.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
            ids, scores = stored["ids"], stored["scores"]
        now = _scores(exact_top(score, few, catalog, k, context))
        if len(ids) == len(requests) and np.allclose(scores[:CHECKED], now, rtol=1e-3, atol=1e-4):
            context.log.info("the oracle's answers are those of an earlier run over the same index")
            return Answer(ids, scores)
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        pass
    best = exact_top(score, requests, catalog, k, context)
    begun = kept.with_suffix(".begun.npz")
    np.savez(begun, ids=best.ids, scores=_scores(best))
    begun.replace(kept)
    return best


def _scores(answer: Answer) -> NDArray[np.float32]:
    assert answer.scores is not None
    return answer.scores


def _merge(one: Answer, other: Answer, k: int) -> Answer:
    return Answer.top(np.hstack([one.ids, other.ids]), np.hstack([_scores(one), _scores(other)]), k)
