"""Rows of different lengths in two flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Ragged:
    """B rows of integers: row i is `values[offsets[i]:offsets[i + 1]]`.

    offsets int64 [B + 1], starting at 0; values int32 (ids) or int64 (times) [offsets[-1]], often memory-mapped.
    """

    offsets: NDArray[np.int64]
    values: NDArray[Any]

    @classmethod
    def from_rows(cls, rows: Iterable[ArrayLike], dtype: Any = np.int32) -> Ragged:
        """Pack a sequence of rows."""
        arrays = [np.asarray(row, dtype=dtype) for row in rows]
        offsets = np.zeros(len(arrays) + 1, np.int64)
        np.cumsum([len(array) for array in arrays], out=offsets[1:])
        return cls(offsets, np.concatenate(arrays) if arrays else np.zeros(0, dtype))

    @classmethod
    def from_keys(cls, keys: NDArray[Any], values: NDArray[Any], size: int) -> Ragged:
        """Group `values` by `keys` (non-decreasing ints below `size`) into `size` rows."""
        return cls(np.searchsorted(keys, np.arange(size + 1)).astype(np.int64), values)

    @classmethod
    def empty(cls, rows: int, dtype: Any = np.int32) -> Ragged:
        """`rows` rows of length zero."""
        return cls(np.zeros(rows + 1, np.int64), np.zeros(0, dtype))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, at: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, at: slice) -> Ragged: ...
    def __getitem__(self, at: int | slice) -> NDArray[Any] | Ragged:
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            if step != 1:
                raise ValueError("a Ragged is sliced with step 1; use take() for other rows")
            stop = max(start, stop)
            offsets = self.offsets[start : stop + 1]
            return Ragged(offsets - offsets[0], self.values[offsets[0] : offsets[-1]])
        row = at + len(self) if at < 0 else at
        if not 0 <= row < len(self):
            raise IndexError(f"row {at} of {len(self)}")
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[row] for row in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64 [B]."""
        return np.diff(self.offsets)

    def rows(self) -> NDArray[np.int64]:
        """The row of each value, int64 [len(values)]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, rows: NDArray[np.integer[Any]] | Sequence[int]) -> Ragged:
        """The given rows, in the given order, copied."""
        rows = np.asarray(rows, np.int64)
        lengths = self.lengths[rows]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        at = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return Ragged(offsets, self.values[at])

    def keep(self, mask: NDArray[np.bool_]) -> Ragged:
        """The values where `mask` [len(values)] holds, in the same rows."""
        kept = np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])
        return Ragged(kept[self.offsets], self.values[mask])

    def padded(self, length: int) -> NDArray[Any]:
        """The last `length` values of each row, newest last, padded on the left with -1: [B, length]."""
        at = self.offsets[1:, None] + np.arange(-length, 0)  # (B, length)
        inside = at >= self.offsets[:-1, None]
        if not len(self.values):
            return np.full(at.shape, -1, self.values.dtype)
        return np.where(inside, self.values[np.where(inside, at, 0)], self.values.dtype.type(-1))
