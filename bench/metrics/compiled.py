"""The decorator and array types of the metrics' compiled loops.

Modules with such loops are imported when a metric is computed, not before: numba takes half a second. The loops run on
one thread: they take a fraction of a second for 100,000 requests, and a process that has started numba's threads can no
longer be forked safely. Array arguments may be read-only (memory-mapped).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit, types

Loop = TypeVar("Loop", bound=Callable[..., Any])

INT = types.int64
BOOL = types.boolean
INTS = types.Array(types.int32, 1, "C", readonly=True)
LONGS = types.Array(types.int64, 1, "C", readonly=True)
FLOATS = types.Array(types.float64, 1, "C", readonly=True)
IDS = types.Array(types.int32, 2, "C", readonly=True)


def compiled(*signature: Any) -> Callable[[Loop], Loop]:
    """A typed `njit`: numba's own decorator carries no types; one signature means one compilation, kept on disk."""
    return cast("Callable[[Loop], Loop]", njit(signature, cache=True, nogil=True))
