"""Side information as bags of codes: whatever a row is described by becomes a few rows of one embedding table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import Categorical, Feature, Features, MultiCategorical, Numeric

BINS = 16  # quantile bins of a number
WIDEST = 24  # codes kept of one row of a multi-valued feature


@dataclass(frozen=True, slots=True)
class Field:
    """One feature as fitted in training.

    kind: "one", "many" or "number". codes int64 [names]: the table row of each category, 0 for a category that
    training never saw; edges float32 [bins - 1]: where a number's quantile bins meet. first: the field's first row.
    """

    name: str
    kind: str
    first: int
    codes: NDArray[np.int64]
    edges: NDArray[np.float32]

    def encode(self, feature: Feature) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Table rows int32 [R, W] (0: nothing known) and weights float32 [R, W] that sum to 1 in a described row."""
        if self.kind == "number" and isinstance(feature, Numeric):
            values = np.asarray(feature.values, np.float32)
            bins = self.first + np.searchsorted(self.edges, values, side="right")
            rows = np.where(np.isnan(values), 0, bins)[:, None]
        elif self.kind == "one" and isinstance(feature, Categorical):
            rows = self._rows(np.asarray(feature.codes))[:, None]
        elif self.kind == "many" and isinstance(feature, MultiCategorical):
            width = min(int(feature.codes.lengths.max(initial=1)), WIDEST)
            rows = self._rows(feature.codes.padded(max(width, 1)))
        else:
            raise TypeError(f"feature {self.name!r} was {self.kind!r} in training and is {type(feature).__name__} now")
        known = rows > 0
        return rows.astype(np.int32), (known / np.maximum(known.sum(1, keepdims=True), 1)).astype(np.float32)

    def _rows(self, codes: NDArray[np.int32]) -> NDArray[np.int64]:
        inside = (codes >= 0) & (codes < len(self.codes))
        return np.where(inside, self.codes[np.where(inside, codes, 0)], 0) if len(self.codes) else np.zeros_like(codes)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The features known in training and their rows in one embedding table of `size` rows; row 0 means unknown.

    Categories keep a row each if training saw them; a number becomes one of 16 quantile bins, so no scale can hurt;
    texts are left out. Fitted on training rows alone.
    """

    fields: tuple[Field, ...]
    size: int

    @classmethod
    def fit(cls, features: Features) -> Vocabulary:
        """Learn codes and bins from the rows known in training."""
        fields: list[Field] = []
        size = 1
        nothing = np.zeros(0, np.int64), np.zeros(0, np.float32)
        for name, feature in sorted(features.items()):
            if isinstance(feature, Numeric):
                values = np.asarray(feature.values, np.float32)
                values = values[~np.isnan(values)]
                edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS)) if len(values) else nothing[1]
                fields.append(Field(name, "number", size, nothing[0], edges.astype(np.float32)))
                size += len(edges) + 1
            elif isinstance(feature, Categorical | MultiCategorical):
                many = isinstance(feature, MultiCategorical)
                used = np.asarray(feature.codes.values if isinstance(feature, MultiCategorical) else feature.codes)
                seen = np.bincount(used[used >= 0], minlength=len(feature.names)) > 0
                codes = np.where(seen, size + np.cumsum(seen) - 1, 0).astype(np.int64)
                fields.append(Field(name, "many" if many else "one", size, codes, nothing[1]))
                size += int(seen.sum())
        return cls(tuple(fields), size)

    def encode(self, features: Features, rows: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Codes int32 [rows, W] and weights float32 [rows, W] of `rows` described rows; absent features are unknown."""
        parts = [field.encode(features[field.name]) for field in self.fields if field.name in features]
        if not parts:
            return np.zeros((rows, 1), np.int32), np.zeros((rows, 1), np.float32)
        return np.concatenate([codes for codes, _ in parts], 1), np.concatenate([weights for _, weights in parts], 1)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All that is fitted, as named arrays to be stored."""
        stored: dict[str, NDArray[np.generic]] = {"size": np.array([self.size])}
        for at, field in enumerate(self.fields):
            stored[f"{at}.{field.kind}.{field.first}.codes.{field.name}"] = field.codes
            stored[f"{at}.{field.kind}.{field.first}.edges.{field.name}"] = field.edges
        return stored

    @classmethod
    def of_arrays(cls, stored: Mapping[str, NDArray[np.generic]]) -> Vocabulary:
        """The inverse of `arrays`."""
        found: dict[int, tuple[str, str, int]] = {}
        for key in stored:
            if key != "size":
                at, kind, first, _, name = key.split(".", 4)
                found[int(at)] = (name, kind, int(first))
        fields = []
        for at, (name, kind, row) in sorted(found.items()):
            codes, edges = (stored[f"{at}.{kind}.{row}.{part}.{name}"] for part in ("codes", "edges"))
            fields.append(Field(name, kind, row, codes.astype(np.int64), edges.astype(np.float32)))
        return cls(tuple(fields), int(stored["size"][0]))
