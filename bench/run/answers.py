"""An answer is checked before any metric is computed from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.answer import Answer
from bench.data.tables import Catalog, Requests
from bench.errors import InvalidAnswer


def check(answer: Any, requests: Requests, k: int, catalog: Catalog, method: str) -> Answer:
    """`answer` itself if each of its rows is valid; raises InvalidAnswer naming method, request and reason."""
    if not isinstance(answer, Answer):
        raise InvalidAnswer(f"{method}: query returned {type(answer).__name__}, not an Answer")
    ids = answer.ids
    shape = (len(requests), k)
    if not isinstance(ids, np.ndarray) or ids.dtype != np.int32 or ids.shape != shape:
        found = f"{ids.dtype} {list(ids.shape)}" if isinstance(ids, np.ndarray) else type(ids).__name__
        raise InvalidAnswer(f"{method}: ids must be an int32 array of shape {list(shape)}, not {found}")

    def refuse(rows: NDArray[Any], reason: str) -> None:
        if len(rows):
            raise InvalidAnswer(
                f"{method}: request {int(requests.keys[rows[0]])}: {reason} ({len(rows)} requests in all)"
            )

    pads = ids < 0
    refuse(np.flatnonzero((ids < -1).any(1) | (ids >= catalog.size).any(1)), f"ids outside -1 .. {catalog.size - 1}")
    refuse(np.flatnonzero((pads[:, :-1] & ~pads[:, 1:]).any(1)), "an item after a -1 pad")
    ordered = np.sort(ids, axis=1)
    refuse(np.flatnonzero(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(1)), "an item twice")
    if len(requests.exclude.values):
        keys = ids.astype(np.int64) + np.arange(len(ids))[:, None] * np.int64(catalog.size)
        keys[pads] = -1
        excluded = requests.exclude.values + requests.exclude.rows() * np.int64(catalog.size)
        refuse(np.flatnonzero(np.isin(keys, excluded).any(1)), "an excluded (already seen) item")
    if catalog.eligible is not None:
        allowed = np.zeros(catalog.size + 1, bool)
        allowed[catalog.eligible] = True
        allowed[-1] = True  # the pad
        refuse(np.flatnonzero(~allowed[ids].all(1)), "an item that is not eligible")
    if answer.scores is not None:
        _numbers(answer.scores, "scores", "fiu", shape, method)
        refuse(np.flatnonzero((np.isnan(answer.scores) & ~pads).any(1)), "a score that is NaN")
    if answer.work is not None:
        _numbers(answer.work, "work", "iu", shape[:1], method)
        refuse(np.flatnonzero(answer.work < 0), "work below 0")
    return answer


def _numbers(values: Any, name: str, kinds: str, shape: tuple[int, ...], method: str) -> None:
    """Refuse what is no array of the shape whose numbers are of one of the kinds (numpy's letters)."""
    if not isinstance(values, np.ndarray) or values.shape != shape or values.dtype.kind not in kinds:
        wanted = "numbers" if "f" in kinds else "whole numbers"
        found = f"{values.dtype} {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
        raise InvalidAnswer(f"{method}: {name} must be an array of {wanted}, of shape {list(shape)}, not {found}")
