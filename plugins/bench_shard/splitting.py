"""Which shard holds which item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import ParameterError

NOBODY = -1
SPLITS = ("even", "ranges")


@dataclass(frozen=True, slots=True)
class Split:
    """owner int16 [size]: the shard of each catalog id, -1 for an item that none holds; shards: how many there are."""

    owner: NDArray[np.int16]
    shards: int

    @classmethod
    def of(cls, candidates: NDArray[np.int32], size: int, shards: int, how: str, rng: np.random.Generator) -> Split:
        """Split candidates int32 [C], sorted, into shards whose sizes differ by one at most.

        even: shuffled, then dealt out; ranges: neighbouring ids together. Raises ParameterError where a shard would be
        left without an item.
        """
        if len(candidates) < shards:
            raise ParameterError(
                f"shards={shards} of {len(candidates):,} items leaves a shard without any: ask for fewer shards"
            )
        owner = np.full(size, NOBODY, np.int16)
        places = np.arange(len(candidates))
        if how == "even":
            owner[rng.permutation(candidates)] = places % shards
        else:
            owner[candidates] = places * shards // len(candidates)
        return cls(owner, shards)

    def held(self, shard: int) -> NDArray[np.int32]:
        """The ids of one shard, int32, sorted."""
        return np.flatnonzero(self.owner == shard).astype(np.int32)

    def of_items(self, items: NDArray[np.int32]) -> NDArray[np.int16]:
        """The shard to ask about each of some items: the first for those that none holds."""
        return np.maximum(self.owner[items], 0)

    def grown(self, added: NDArray[np.int32], size: int) -> Split:
        """The split of a catalog of `size` items with further ones: those that no shard held are dealt out, the first
        to the smallest shard; those that one held before return there."""
        owner = np.concatenate([self.owner, np.full(size - len(self.owner), NOBODY, np.int16)])
        new = added[owner[added] == NOBODY]
        held = np.bincount(owner[owner != NOBODY], minlength=self.shards)
        owner[new] = np.resize(np.argsort(held, kind="stable"), len(new))
        return Split(owner, self.shards)
