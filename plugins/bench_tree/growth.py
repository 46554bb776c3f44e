"""Items that a learnt tree does not have: leaves more below the lowest inner nodes that suit them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

from bench import DataError
from bench_tree.tree import Tree, leaves_below

ARRAYS = ("items", "begins", "parents")


@dataclass(frozen=True)
class Grown:
    """A tree as a search sees it, whose lowest inner nodes may have any number of leaves: bench_tree.descent.Levels.

    items int32 [leaves]: the catalog id on each leaf; begins int64 [height + 2]: the nodes of level l are begins[l] ..
    begins[l + 1] - 1; parents int32 [nodes], ascending within a level.
    """

    items: NDArray[np.int32]
    begins: NDArray[np.int64]
    parents: NDArray[np.int32]

    @property
    def height(self) -> int:
        return len(self.begins) - 2

    @cached_property
    def first(self) -> NDArray[np.int32]:
        """int32 [inner nodes + 1]: the children of node n are first[n] .. first[n + 1] - 1."""
        return np.searchsorted(self.parents[1:], np.arange(int(self.begins[-2]) + 1)).astype(np.int32) + 1

    @cached_property
    def below(self) -> NDArray[np.float64]:
        """float64 [2, height]: mean and standard deviation, over the nodes of each level, of the leaves below."""
        return leaves_below(self.begins, self.first)

    @cached_property
    def paths(self) -> NDArray[np.int32]:
        """int32 [ids + 1, height + 1]: the nodes from the root to the leaf of each catalog id; of an id without a leaf,
        and in the last row, the root alone."""
        paths = np.zeros((int(self.items.max(initial=-1)) + 2, self.height + 1), np.int32)
        at = np.arange(self.begins[-2], self.begins[-1])
        for level in range(self.height, 0, -1):
            paths[self.items, level] = at
            at = self.parents[at]
        return paths

    def above(self, wanted: NDArray[np.bool_]) -> tuple[Grown, NDArray[np.int64]]:
        """The wanted leaves (bool [leaves], one at least) and the nodes that lead to them alone, and which nodes of
        this tree they are, int64, ascending."""
        kept = np.zeros(len(self.parents), np.bool_)
        kept[self.begins[-2] :] = wanted
        for level in range(self.height, 0, -1):
            here = slice(self.begins[level], self.begins[level + 1])
            kept[self.parents[here][kept[here]]] = True
        nodes = np.flatnonzero(kept)
        places = np.cumsum(kept) - 1
        begins = np.searchsorted(nodes, self.begins)
        return Grown(self.items[wanted], begins, places[self.parents[nodes]].astype(np.int32)), nodes

    def save(self, folder: Path) -> None:
        """Write three arrays into `folder`."""
        for name in ARRAYS:
            np.save(folder / f"levels.{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Grown:
        """Read what `save` wrote; raises DataError where a file is missing or does not fit the others, or an item is on
        two leaves."""
        try:
            found = cls(*(np.load(folder / f"levels.{name}.npy", allow_pickle=False) for name in ARRAYS))
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{error}; delete {folder} and build the index again") from error
        if len(found.begins) < 3 or len(found.parents) != found.begins[-1] or len(found.items) != found.leaves:
            raise DataError(f"{folder}: the tree's files do not fit together; delete it and build the index again")
        items, times = np.unique(found.items, return_counts=True)
        if (times > 1).any():
            twice = items[times.argmax()]
            raise DataError(f"{folder}: item {twice} is on {times.max()} leaves; delete it and build the index again")
        return found

    @property
    def leaves(self) -> int:
        """The number of leaves."""
        return int(self.begins[-1] - self.begins[-2])


def grown(tree: Tree, means: NDArray[np.float32], items: NDArray[np.int32], vectors: NDArray[np.float32]) -> Grown:
    """`tree` with leaves for further `items` int32 [n], whose vectors are float32 [n, d]; its inner nodes stay.

    means float32 [nodes, d]: of the vectors below each node. An item goes down to the child whose mean is nearest,
    level by level, and joins the leaves there, or those of the next node to the right where twice the even share of new
    leaves is there already: items that look alike do not all end below one node.
    """
    begin, height = int(tree.begins[-2]), tree.height
    if not len(items):
        return Grown(tree.items, tree.begins, tree.parents)
    at = np.zeros(len(items), np.int64)
    for _ in range(height - 1):
        first, count = tree.first[at].astype(np.int64), (tree.first[at + 1] - tree.first[at]).astype(np.int64)
        best = np.full(len(items), np.inf, np.float32)
        chosen = first.copy()
        for child in range(tree.widest):
            node = first + np.minimum(child, count - 1)
            away = ((vectors - means[node]) ** 2).sum(1)
            nearer = away < best
            best, chosen = np.where(nearer, away, best), np.where(nearer, node, chosen)
        at = chosen
    lowest = int(tree.begins[-3])
    order = np.argsort(at, kind="stable")
    buckets = begin - lowest
    at = _spread(at[order] - lowest, buckets, 2 * -(-len(items) // buckets)) + lowest
    parents = np.concatenate([tree.parents[begin:], at.astype(np.int32)])
    both = np.concatenate([tree.items, items[order]]).astype(np.int32)
    place = np.argsort(parents, kind="stable")
    begins = tree.begins.copy()
    begins[-1] += len(items)
    return Grown(both[place], begins, np.concatenate([tree.parents[:begin], parents[place]]))


@numba.njit(cache=True)
def _spread(wanted, buckets, room):  # type: ignore[no-untyped-def]
    """The bucket of each item, at most `room` in one: that `wanted` (ascending) or the next free one to its right."""
    taken = np.zeros(buckets, np.int64)
    given = np.empty(len(wanted), np.int64)
    free = 0
    for at in range(len(wanted)):
        bucket = max(free, wanted[at]) if taken[wanted[at]] >= room else wanted[at]
        while taken[bucket] >= room:
            bucket = (bucket + 1) % buckets
        taken[bucket] += 1
        given[at] = bucket
        free = bucket
    return given
