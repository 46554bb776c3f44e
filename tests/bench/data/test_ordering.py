"""The fixed order of tied interactions."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.data.ordering import core, splitmix64, stable_hash, tie_hash

MASK = (1 << 64) - 1


def reference(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def test_splitmix64_gives_the_published_first_value() -> None:
    assert splitmix64(np.zeros(1, np.uint64))[0] == 0xE220A8397B1DCDAF


@given(st.text(max_size=9), st.text(max_size=9))
def test_the_tie_hash_is_the_same_everywhere(user: str, item: str) -> None:
    hashed = [int.from_bytes(hashlib.blake2b(one.encode(), digest_size=8).digest(), "little") for one in (user, item)]
    found = tie_hash(stable_hash([user]), stable_hash([item]))
    assert int(found[0]) == reference(reference(hashed[0]) ^ hashed[1])


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40), st.integers(1, 3))
def test_what_the_core_keeps_has_enough_of_everything(pairs: list[tuple[int, int]], least: int) -> None:
    users, items = np.array(pairs, np.int32).T
    kept = core(users, items, (least, least))
    for side in (users[kept], items[kept]):
        counts = np.bincount(side)
        assert (counts[counts > 0] >= least).all()
