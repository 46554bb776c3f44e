"""A complete k-ary tree with one item on each leaf, as plain arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import DataError

LEAST_NODES = 8  # of the first level that is learnt: to tell fewer apart saves nothing


@dataclass(frozen=True)
class Tree:
    """N items on the lowest of the levels 0 (the root) .. height, each on a leaf of its own.

    branching: k >= 2, children of a node at most; items int32 [N]: the catalog id on each leaf, from left to right;
    codes int64 [N]: the leaf's place among the k^height of a full tree, ascending. height is the least that has room,
    so a node of level l holds at most k^(height - l) items: that is what keeps the tree balanced. Nodes without an item
    do not exist. The others are numbered level by level, from left to right, the root 0: the children of a node are
    consecutive numbers, a level is a slice, and so are their rows in any array over nodes.
    """

    branching: int
    items: NDArray[np.int32]
    codes: NDArray[np.int64]

    @classmethod
    def of_codes(cls, items: NDArray[np.integer], codes: NDArray[np.integer], branching: int = 2) -> Tree:
        """The tree that has item items[i] on leaf codes[i], in any order.

        Raises DataError, naming the item, where one is on two leaves, two are on one, or a leaf lies outside the
        balanced tree of so many items.
        """
        items, codes = np.asarray(items), np.asarray(codes)
        for name, values in (("items", items), ("codes", codes)):
            if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
                found = f"{values.dtype} of shape {values.shape}"
                raise DataError(f"a tree's {name} are a row of whole numbers, not {found}")
        items, codes = items.astype(np.int64), codes.astype(np.int64)
        if len(items) and items.min() < 0:
            raise DataError(f"a leaf holds item {items.min()}: items are numbered from 0")
        if not len(items) or len(items) != len(codes) or branching < 2:
            found = f"{len(items)} items, {len(codes)} leaves, branching {branching}"
            raise DataError(f"a tree needs items, a leaf for each and two or more branches: there are {found}")
        height = height_of(len(items), branching)
        outside = np.flatnonzero((codes < 0) | (codes >= branching**height))
        if len(outside):
            raise DataError(
                f"item {items[outside[0]]} is on leaf {codes[outside[0]]}: a balanced {branching}-ary tree of "
                f"{len(items)} items has {height} levels below the root and the leaves 0 to {branching**height - 1}"
            )
        order = np.lexsort((codes, items))
        twice = np.flatnonzero(np.diff(items[order]) == 0)
        if len(twice):
            one, other = order[twice[0] : twice[0] + 2]
            raise DataError(f"item {items[one]} is on two leaves, {codes[one]} and {codes[other]}")
        order = np.argsort(codes, kind="stable")
        shared = np.flatnonzero(np.diff(codes[order]) == 0)
        if len(shared):
            one, other = order[shared[0] : shared[0] + 2]
            raise DataError(f"items {items[one]} and {items[other]} are both on leaf {codes[one]}")
        return cls(branching, items[order].astype(np.int32), codes[order])

    @classmethod
    def of_order(cls, items: NDArray[np.integer], branching: int = 2) -> Tree:
        """The tree whose leaves hold `items` from left to right, siblings of a level as equal as can be: a node of
        level l holds the floor or the ceiling of N / k^l."""
        size = len(items)
        full = branching ** height_of(size, branching)
        return cls.of_codes(items, (np.arange(1, size + 1) * full - 1) // max(1, size), branching)

    def __len__(self) -> int:
        """Nodes, the root included."""
        return int(self.begins[-1])

    @property
    def height(self) -> int:
        """The level of the leaves."""
        return height_of(len(self.items), self.branching)

    @cached_property
    def _levels(self) -> list[NDArray[np.int64]]:
        """The codes int64 [n_l] of the nodes of each level, ascending."""
        levels = [self.codes]
        for _ in range(self.height):
            above = levels[-1] // self.branching
            levels.append(above[np.concatenate([[True], np.diff(above) > 0])])
        return levels[::-1]

    @cached_property
    def begins(self) -> NDArray[np.int64]:
        """int64 [height + 2]: the nodes of level l are begins[l] .. begins[l + 1] - 1."""
        return np.concatenate([[0], np.cumsum([len(level) for level in self._levels])])

    @cached_property
    def parents(self) -> NDArray[np.int32]:
        """int32 [nodes]: the parent of each node, 0 for the root."""
        parents = np.zeros(len(self), np.int32)
        for level in range(1, self.height + 1):
            above, here = self._levels[level - 1], self._levels[level] // self.branching
            parents[self.begins[level] : self.begins[level + 1]] = self.begins[level - 1] + np.searchsorted(above, here)
        return parents

    @cached_property
    def first(self) -> NDArray[np.int32]:
        """int32 [inner nodes + 1]: the children of node n are first[n] .. first[n + 1] - 1."""
        inner = int(self.begins[-2])
        return np.searchsorted(self.parents[1:], np.arange(inner + 1)).astype(np.int32) + 1

    @property
    def widest(self) -> int:
        """Children of a node at most."""
        return self.branching

    @property
    def sizes(self) -> NDArray[np.int64]:
        """int64 [height + 1]: the nodes of each level."""
        return np.diff(self.begins)

    @cached_property
    def below(self) -> NDArray[np.float64]:
        """float64 [2, height]: mean and standard deviation, over the nodes of each level, of the leaves below."""
        return leaves_below(self.begins, self.first)

    def leaves(self, size: int) -> NDArray[np.int32]:
        """int32 [size]: the leaf (a node) of each catalog id, -1 for one that is not in the tree."""
        found = np.full(size, -1, np.int32)
        found[self.items] = np.arange(self.begins[-2], self.begins[-1])
        return found

    def ancestors(self, nodes: NDArray[np.integer]) -> NDArray[np.int32]:
        """int32 [..., height + 1]: the path from the root to each leaf of `nodes`, level by level."""
        path = np.empty((*np.shape(nodes), self.height + 1), np.int32)
        at = np.asarray(nodes, np.int32)
        for level in range(self.height, -1, -1):
            path[..., level] = at
            at = self.parents[at]
        return path

    def sums(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 [nodes, ...]: of each node, the sum over its leaves of values float32 [N, ...] (leaf by leaf)."""
        total = np.empty((len(self), *values.shape[1:]), np.float32)
        total[self.begins[-2] :] = values
        for level in range(self.height - 1, -1, -1):
            here = slice(self.begins[level], self.begins[level + 1])
            below = slice(self.begins[level + 1], self.begins[level + 2])
            total[here] = np.add.reduceat(total[below], self.first[here] - self.begins[level + 1], axis=0)
        return total

    @property
    def counts(self) -> NDArray[np.int64]:
        """int64 [nodes]: items below each node."""
        return self.sums(np.ones(len(self.items), np.float32)).astype(np.int64)  # exact up to 2^24 items

    def fits(self, items: NDArray[np.integer]) -> None:
        """Raises DataError, naming the first, where one of `items` (catalog ids) has no leaf or a leaf no such item."""
        missing, unknown = np.setdiff1d(items, self.items), np.setdiff1d(self.items, items)
        if len(missing):
            raise DataError(
                f"{len(missing)} items of the catalog are on no leaf of the tree, the first is {missing[0]}"
            )
        if len(unknown):
            raise DataError(f"{len(unknown)} items of the tree are not in the catalog, the first is {unknown[0]}")

    def save(self, folder: Path) -> None:
        """Write `tree.json`, `tree.items.npy` and `tree.codes.npy` into `folder`."""
        np.save(folder / "tree.items.npy", self.items, allow_pickle=False)
        np.save(folder / "tree.codes.npy", self.codes, allow_pickle=False)
        (folder / "tree.json").write_text(json.dumps({"branching": self.branching}))

    @classmethod
    def load(cls, folder: Path) -> Tree:
        """Read what `save` wrote, or what another program wrote in that form; raises DataError as `of_codes` does, or
        where a file is missing or of the wrong kind."""
        try:
            branching = int(json.loads((folder / "tree.json").read_text())["branching"])
            items, codes = (np.load(folder / f"tree.{name}.npy", allow_pickle=False) for name in ("items", "codes"))
        except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
            raise DataError(f"{folder} holds no tree (tree.json, tree.items.npy, tree.codes.npy): {error}") from error
        try:
            return cls.of_codes(items, codes, branching)
        except DataError as error:
            raise DataError(f"{folder}: {error}") from error


def leaves_below(begins: NDArray[np.int64], first: NDArray[np.int32]) -> NDArray[np.float64]:
    """float64 [2, height]: mean and standard deviation, over the nodes of each level, of the leaves below; begins,
    first: see Tree."""
    counts, found = np.ones(int(begins[-1] - begins[-2]), np.int64), []
    for level in range(len(begins) - 3, -1, -1):
        counts = np.add.reduceat(counts, first[begins[level] : begins[level + 1]] - begins[level + 1])
        found.append((counts.mean(), counts.std()))
    return np.array(found[::-1]).T


def first_learnt(begins: NDArray[np.int64], asked: int) -> int:
    """The highest level of a tree that is learnt and searched: the one `asked` for, 0: the first of LEAST_NODES
    or more; the leaves' where there is none."""
    wide = np.flatnonzero(np.diff(begins) >= LEAST_NODES)
    height = len(begins) - 2
    return min(asked or (int(wide[0]) if len(wide) else height), height)


def height_of(size: int, branching: int) -> int:
    """The least number of levels below the root whose lowest has room for `size` items, at least 1."""
    height, room = 1, branching
    while room < size:
        height, room = height + 1, room * branching
    return height
