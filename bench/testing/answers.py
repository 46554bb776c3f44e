"""Asking a method, and whether two answers are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.answer import Answer
from bench.data.tables import Requests
from bench.run import answers
from bench.testing.instance import K, Ready
from bench.testing.world import World

TOLERANCE = 1e-3  # of two scores that should be equal, as a share of the largest score (at least of 1)


def asked(ready: Ready, world: World, requests: Requests, k: int = K) -> Answer:
    """The answer, checked as a run checks it, and its types and order."""
    answer = answers.check(ready.query(requests, k), requests, k, world.catalog, ready.name)
    scores, work = answer.scores, answer.work
    assert scores is None or scores.dtype == np.float32, f"{ready.name}: scores must be float32, not {kind(scores)}"
    assert work is None or work.dtype == np.int32, f"{ready.name}: work must be int32, not {kind(work)}"
    assert work is None or (work >= 0).all(), f"{ready.name}: work is negative"
    if scores is not None and k > 1:
        real = np.where(answer.ids >= 0, scores, -np.inf)  # (B, k)
        row = np.flatnonzero((real[:, 1:] > real[:, :-1]).any(1))
        assert not len(row), f"{ready.name}: request {row[0]} is not answered best first: {scores[row[0]]}"
    return answer


def expect_equal(name: str, case: str, expected: Answer, found: Answer) -> None:
    """Equal items in each row, or items of equal scores in another order."""
    differing = np.flatnonzero((expected.ids != found.ids).any(1))
    if expected.scores is not None and found.scores is not None:
        alike = np.array(
            [close(expected.scores[row], found.scores[row], slack_of(expected.scores)) for row in differing], bool
        )
        differing = differing[~alike]
    assert not len(differing), (
        f"{name}: {case} gives another answer in {len(differing)} rows; in row {differing[0]} "
        f"{found.ids[differing[0]]} and not {expected.ids[differing[0]]}"
    )


def row_of(answer: Answer, row: int) -> Answer:
    part = slice(row, row + 1)
    return Answer(answer.ids[part], None if answer.scores is None else answer.scores[part])


def slack_of(scores: NDArray[np.float32]) -> float:
    return TOLERANCE * max(1.0, float(np.abs(scores[np.isfinite(scores)]).max(initial=0)))


def close(found: NDArray[np.float32], expected: NDArray[np.float32], slack: float) -> bool:
    return bool(np.allclose(found, expected, rtol=0, atol=slack))


def kind(value: Any) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
