"""Vectors of items and of users' profiles: an id's own embedding plus the embeddings of what describes it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bench import Catalog, Features
from bench_neural.vocabulary import Vocabulary

SPREAD = 0.25  # length of an embedding at first
SPARSE = 50_000  # rows from which on a table's gradient is sparse: a batch touches few of them


def looked_up(rows: Tensor, table: Tensor) -> Tensor:
    """Rows (n, d) of a table (N, d), whose gradient is sparse where the table is large."""
    return functional.embedding(rows, table, sparse=len(table) >= SPARSE)


class FeatureEmbedding(nn.Module):
    """Sum over the features of the mean embedding of their codes: codes int32, weights float32 (R, W) -> (R, d)."""

    def __init__(self, vocabulary: Vocabulary, dim: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.table = nn.Parameter(torch.randn(vocabulary.size, dim) * SPREAD * dim**-0.5)

    def forward(self, codes: Tensor, weights: Tensor) -> Tensor:
        return functional.embedding_bag(codes, self.table, per_sample_weights=weights, mode="sum")  # (R, d)

    def fields(self, codes: Tensor, weights: Tensor) -> Tensor:
        """Each feature on its own, (R, F, d), which sum to what `forward` gives."""
        firsts = torch.tensor([field.first for field in self.vocabulary.fields], device=codes.device)
        of = (torch.searchsorted(firsts, codes, right=True) - 1).clamp(min=0)  # (R, W): the feature that a code is of
        own = functional.embedding(codes, self.table) * weights[:, :, None]  # (R, W, d)
        apart = own.new_zeros(len(codes), len(firsts), own.shape[2])
        if not len(firsts):
            return apart
        return apart.scatter_add(1, of[:, :, None].expand_as(own).long(), own)


class ItemEncoder(nn.Module):
    """Items as vectors: own embedding + side information. `encoder(ids)` -> (n, d), `encoder()` -> all items (N, d).

    Items that training never saw, be it rows of the query catalog beyond the training prefix or training items
    without an interaction, share one embedding of "unknown id" and are told apart by their side information. It is
    learnt by hiding each id of a training batch with probability `id_dropout`.

    seen bool [training items]: which have training interactions. `bind` names the catalog that ids refer to. id_scale:
    size of the items' own embeddings at first; a small one lets side information speak before ids have been learnt.
    """

    codes: Tensor
    weights: Tensor
    rows: Tensor
    came: Tensor

    def __init__(
        self,
        catalog: Catalog,
        seen: NDArray[np.bool_],
        dim: int,
        id_dropout: float = 0.02,
        vocabulary: Vocabulary | None = None,
        id_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.id_dropout = id_dropout
        self.seen = np.asarray(seen, bool)
        self.features = FeatureEmbedding(vocabulary or Vocabulary.fit(catalog.features), dim)
        spread = SPREAD * id_scale * dim**-0.5
        self.ids = nn.Parameter(torch.randn(int(self.seen.sum()) + 1, dim) * spread)  # row 0: the unknown id
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
        came = (np.arange(catalog.size) >= known) & weights.any(1)
        self.register_buffer("came", torch.from_numpy(came).to(device), persistent=False)

    def biases(self, bias: ItemBias, ids: Tensor | None = None) -> Tensor:
        """Biases (n, 1) of `ids` int64 (n,), or of the whole bound catalog."""
        rows, came = (self.rows, self.came) if ids is None else (self.rows[ids], self.came[ids])
        return bias(rows, came if self.size > len(self.seen) else None)

    @property
    def size(self) -> int:
        """Items in the catalog that is bound."""
        return len(self.rows)

    def forward(self, ids: Tensor | None = None) -> Tensor:
        """Vectors of `ids` int64 (n,), or of the whole bound catalog."""
        rows, codes, weights = self._read(ids)
        return looked_up(rows, self.ids) + self.features(codes, weights)  # (n, d)

    def fields(self, ids: Tensor | None = None) -> Tensor:
        """The id and each feature on its own, (n, 1 + F, d), which sum to what `forward` gives."""
        rows, codes, weights = self._read(ids)
        return torch.cat([looked_up(rows, self.ids)[:, None], self.features.fields(codes, weights)], 1)

    def categories(self, ids: Tensor) -> Tensor:
        """The first code int64 (n,) of each of `ids` in the first feature that has names; 0 where there is none."""
        named = [field for field in self.features.vocabulary.fields if field.kind != "number" and len(field.codes)]
        if not named:
            return torch.zeros_like(ids)
        codes, low, high = self.codes[ids], named[0].first, int(named[0].codes.max())
        inside = (codes >= low) & (codes <= high)  # (n, W)
        first = codes.gather(1, inside.int().argmax(1, keepdim=True))[:, 0].long()
        return torch.where(inside.any(1), first, 0)

    def _read(self, ids: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of the id table (n,), codes and weights (n, W)."""
        rows, codes, weights = self.rows, self.codes, self.weights
        if ids is not None:
            rows, codes, weights = rows[ids], codes[ids], weights[ids]
        if self.training and self.id_dropout > 0:
            rows = rows * (torch.rand(len(rows), device=rows.device) >= self.id_dropout)
        return rows, codes, weights


class ItemBias(nn.Module):
    """One number an item that is added to its scores: at first the log of its training frequency, around 0.

    counts int64 [training items]: interactions of each. Items of the training catalog that nobody met share the
    smallest, which is not learnt: they are rarer than any that training saw, and one learnt from hidden ids, which are
    popular, would let all of them flood the answers. Items that came after training have not had their chance: those
    that side information tells apart have the mean of the known ones' biases as these have been learnt.
    """

    def __init__(self, counts: NDArray[np.int64]) -> None:
        super().__init__()
        logs = np.log(counts[counts > 0])
        logs = logs - logs.mean() if len(logs) else logs
        start = np.concatenate([[logs.min(initial=0.0)], logs])[:, None]
        self.table = nn.Parameter(torch.from_numpy(start.astype(np.float32)))  # (known + 1, 1), as ItemEncoder.ids

    def forward(self, rows: Tensor, came: Tensor | None = None) -> Tensor:
        """Biases (n, 1) of the rows int64 (n,) that ItemEncoder.rows gives for ids; came bool (n,): of those that came
        after training and are described."""
        own = looked_up(rows, self.table)
        if came is None or len(self.table) == 1:
            return own
        return torch.where(came[:, None], self.table[1:].mean(), own)


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
