"""Vectors of items and of users' profiles: an id's own embedding plus the embeddings of what describes it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bench import Catalog, Features
from bench_neural.vocabulary import Vocabulary


class FeatureEmbedding(nn.Module):
    """Sum over the features of the mean embedding of their codes: codes int64, weights float32 (R, W) -> (R, d)."""

    def __init__(self, vocabulary: Vocabulary, dim: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.table = nn.Parameter(torch.randn(vocabulary.size, dim) * 0.25 * dim**-0.5)

    def forward(self, codes: Tensor, weights: Tensor) -> Tensor:
        return functional.embedding_bag(codes, self.table, per_sample_weights=weights, mode="sum")  # (R, d)


class ItemEncoder(nn.Module):
    """Items as vectors: own embedding + side information. `encoder(ids)` -> (n, d), `encoder()` -> all items (N, d).

    Items that training never saw, be it rows of the query catalog beyond the training prefix or training items
    without an interaction, share one embedding of "unknown id" and are told apart by their side information. It is
    learnt by hiding each id of a training batch with probability `id_dropout`.

    seen bool [training items]: which have training interactions. `bind` names the catalog that ids refer to.
    """

    codes: Tensor
    weights: Tensor
    rows: Tensor

    def __init__(
        self,
        catalog: Catalog,
        seen: NDArray[np.bool_],
        dim: int,
        id_dropout: float = 0.02,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.id_dropout = id_dropout
        self.seen = np.asarray(seen, bool)
        self.features = FeatureEmbedding(vocabulary or Vocabulary.fit(catalog.features), dim)
        self.ids = nn.Parameter(torch.randn(int(self.seen.sum()) + 1, dim) * 0.25 * dim**-0.5)  # row 0: the unknown id
        self.bind(catalog)

    def bind(self, catalog: Catalog) -> None:
        """Let ids mean the rows of `catalog`, whose first rows are the training catalog."""
        codes, weights = self.features.vocabulary.encode(catalog.features, catalog.size)
        rows = np.zeros(catalog.size, np.int64)
        known = min(len(self.seen), catalog.size)
        rows[:known] = np.where(self.seen, np.cumsum(self.seen), 0)[:known]
        device = self.ids.device
        self.register_buffer("codes", torch.from_numpy(codes).to(device), persistent=False)
        self.register_buffer("weights", torch.from_numpy(weights).to(device), persistent=False)
        self.register_buffer("rows", torch.from_numpy(rows).to(device), persistent=False)

    @property
    def size(self) -> int:
        """Items in the catalog that is bound."""
        return len(self.rows)

    def forward(self, ids: Tensor | None = None) -> Tensor:
        """Vectors of `ids` int64 (n,), or of the whole bound catalog."""
        rows, codes, weights = self.rows, self.codes, self.weights
        if ids is not None:
            rows, codes, weights = rows[ids], codes[ids], weights[ids]
        if self.training and self.id_dropout > 0:
            rows = rows * (torch.rand(len(rows), device=rows.device) >= self.id_dropout)
        return functional.embedding(rows, self.ids) + self.features(codes, weights)  # (n, d)


class ProfileEncoder(nn.Module):
    """Users' profile features as vectors (B, d); zero where nothing is known. Users are never known by their id."""

    def __init__(self, profiles: Features, dim: int, vocabulary: Vocabulary | None = None) -> None:
        super().__init__()
        self.features = FeatureEmbedding(vocabulary or Vocabulary.fit(profiles), dim)

    def encode(self, profiles: Features, rows: int) -> tuple[Tensor, Tensor]:
        """Codes and weights (rows, W) of `rows` users, on the encoder's device, for `forward`."""
        codes, weights = self.features.vocabulary.encode(profiles, rows)
        device = self.features.table.device
        return torch.from_numpy(codes).to(device), torch.from_numpy(weights).to(device)

    def forward(self, codes: Tensor, weights: Tensor) -> Tensor:
        return self.features(codes, weights)  # (B, d)
