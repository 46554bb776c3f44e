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
        if answer.scores.shape != shape:
            raise InvalidAnswer(f"{method}: scores have shape {list(answer.scores.shape)}, not {list(shape)}")
        refuse(np.flatnonzero((np.isnan(answer.scores) & ~pads).any(1)), "a score that is NaN")
    if answer.work is not None and answer.work.shape != shape[:1]:
        raise InvalidAnswer(f"{method}: work has shape {list(answer.work.shape)}, not [{shape[0]}]")
    return answer
