"""Random numbers without state: a 64-bit key and a count give 64 bits, on every machine the same.

splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014) read at any count. Only
uint64 arithmetic, so nothing depends on the machine, the compiler or the order in which numbers are asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

U = np.uint64
GOLDEN = U(0x9E3779B97F4A7C15)
ONE = 1 << 32  # a probability of 1 on the scale of `below`


@njit(cache=True, nogil=True)
def mixed(x: Any) -> Any:
    """The finaliser of splitmix64: a bijection of uint64 whose every output bit depends on every input bit."""
    x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U(27))) * U(0x94D049BB133111EB)
    return x ^ (x >> U(31))


@njit(cache=True, nogil=True)
def bits_at(key: Any, count: Any) -> Any:
    """The uint64 at `count` (an int from 0) of the stream `key`."""
    return mixed(key + (U(count) + U(1)) * GOLDEN)


@njit(cache=True, nogil=True)
def below(bits: Any, bound: Any) -> Any:
    """An int64 of 0 .. bound - 1 (bound < 2**32) from the upper half of `bits`: multiply and shift."""
    return np.int64(((bits >> U(32)) * U(bound)) >> U(32))


@njit(cache=True, nogil=True)
def below_again(bits: Any, bound: Any) -> Any:
    """Like `below`, from the lower half of `bits`: independent of it."""
    return np.int64(((bits & U(0xFFFFFFFF)) * U(bound)) >> U(32))


def stream(seed: int, purpose: int) -> Any:
    """The key (uint64) of one of the streams of a seed."""
    return U(bits_at(U(bits_at(U(seed), 0)), purpose))  # U: a compiled function hands Python an int


@njit(cache=True)
def permutation(key: Any, size: Any) -> Any:
    """int32 [size]: 0 .. size - 1 shuffled (Fisher-Yates)."""
    order = np.arange(size).astype(np.int32)
    for last in range(size - 1, 0, -1):
        other = below(bits_at(key, last), last + 1)
        order[last], order[other] = order[other], order[last]
    return order


@njit(cache=True, nogil=True)
def pick(cumulative: Any, low: Any, high: Any, bits: Any) -> Any:
    """A c of low .. high - 1 with probability proportional to cumulative[c + 1] - cumulative[c] (int64 weights)."""
    mark = cumulative[low] + below(bits, cumulative[high] - cumulative[low])
    while high - low > 1:
        middle = (low + high) >> 1
        if cumulative[middle] <= mark:
            low = middle
        else:
            high = middle
    return low
