"""What a method may see of the synthetic items: department, category, tags, title and the moment they appear."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from bench import Catalog, Categorical, MultiCategorical, Ragged, Text
from bench_datasets.synthetic_random import below, below_again, bits_at, stream
from bench_datasets.synthetic_users import DEPARTMENT
from bench_datasets.synthetic_words import ADJECTIVES, TAGS, category_noun, department_name
from bench_datasets.synthetic_world import TAGGING, TITLES, World

BLOCK = 1 << 16  # titles made at a time
MOST_TAGS, TAG_POOL = 3, 4  # tags of an item at most; tags that a category's items have


def describe_items(world: World, ids: NDArray[np.int32], seed: int) -> Catalog:
    """The catalog, in the order of ids; ids int32 [items] at each position."""
    categories = len(world.category_start) - 1
    category = np.empty(len(ids), np.int32)
    category[ids] = np.repeat(np.arange(categories, dtype=np.int32), np.diff(world.category_start))
    first_seen = np.empty(len(ids), np.int64)
    first_seen[ids] = world.first_seen
    nouns = [category_noun(number) for number in range(categories)]
    departments = [department_name(number) for number in range(-(-categories // DEPARTMENT))]
    return Catalog(
        size=len(ids),
        features={
            "department": Categorical(category // DEPARTMENT, departments),
            "category": Categorical(category, nouns),
            "tags": MultiCategorical(Ragged(*_tags(stream(seed, TAGGING), category, len(TAGS))), TAGS),
            "title": Text(_titles(stream(seed, TITLES), category, nouns)),
        },
        first_seen=first_seen,
    )


def _titles(key: np.uint64, category: NDArray[np.int32], nouns: list[str]) -> pa.ChunkedArray:
    """ "Cosy lamp 1234": an adjective, the category's noun and the id."""
    adjectives, kinds = pa.array(ADJECTIVES), pa.array(nouns)
    chunks = []
    for first in range(0, len(category), BLOCK):
        part = category[first : first + BLOCK]
        number = pc.cast(pa.array(np.arange(first, first + len(part))), pa.string())
        adjective = adjectives.take(pa.array(_adjectives(key, first, len(part), len(ADJECTIVES))))
        chunks.append(pc.binary_join_element_wise(adjective, kinds.take(pa.array(part)), number, " "))
    return pa.chunked_array(chunks)


@njit(cache=True, nogil=True)
def _adjectives(key: Any, first: Any, items: Any, kinds: Any) -> Any:
    """int32 [items]: the adjective, of `kinds`, of each of the ids first, first + 1, ..."""
    chosen = np.empty(items, np.int32)
    for row in range(items):
        chosen[row] = below(bits_at(key, first + row), kinds)
    return chosen


@njit(cache=True, nogil=True)
def _tags(key: Any, category: Any, kinds: Any) -> Any:
    """(offsets int64 [items + 1], codes int32): one to MOST_TAGS tags of the TAG_POOL of the item's category."""
    offsets = np.zeros(len(category) + 1, np.int64)
    for item in range(len(category)):
        offsets[item + 1] = offsets[item] + 1 + below_again(bits_at(~key, item), MOST_TAGS)
    codes = np.empty(offsets[-1], np.int32)
    for item in range(len(category)):
        pool = bits_at(key, category[item])
        begin, stride = below(pool, kinds), 1 + 2 * below_again(pool, kinds // 2)  # odd, kinds 2**n: no tag twice
        turn = below_again(bits_at(~key, len(category) + item), TAG_POOL)
        for at in range(offsets[item], offsets[item + 1]):
            codes[at] = (begin + stride * ((turn + at - offsets[item]) % TAG_POOL)) % kinds
    return offsets, codes
