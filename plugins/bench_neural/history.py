"""Encoders of a user's history: one state for each prefix of it, so that one pass trains on every moment.

All take item vectors (B, L, d) of the items met, oldest first and aligned to the left (row b has lengths[b] of them,
whatever follows is ignored), and a start vector (B, d) of the user, and give states (B, L + 1, d): state t has seen the
start and the first t items. State 0 therefore serves an empty history.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bench import ParameterError, Ragged


def aligned(history: Ragged, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each row's last `length` items, oldest first from the left: int64 [B, L] (-1 after the end) and lengths [B].

    L is the longest row's, at most `length`.
    """
    begin = np.maximum(history.offsets[:-1], history.offsets[1:] - length)
    return from_left(history.values, begin, history.offsets[1:])


def from_left(
    values: NDArray[np.int32], begin: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """values[begin[b]:end[b]] of each row, -1 after its end: int64 [B, longest], and the lengths int64 [B]."""
    lengths = end - begin
    at = begin[:, None] + np.arange(int(lengths.max(initial=0)))  # (B, L)
    inside = at < end[:, None]
    ids = np.full(at.shape, -1, np.int64)
    ids[inside] = values[at[inside]]
    return ids, lengths


class PooledHistory(nn.Module):
    """Mean of the items met so far, beside the start vector and the newest item, through a two-layer network."""

    def __init__(self, dim: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(3 * dim, 4 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim)
        )

    def forward(self, items: Tensor, start: Tensor) -> Tensor:
        batch, length, dim = items.shape
        count = torch.arange(1, length + 1, device=items.device, dtype=items.dtype)[:, None]
        nothing = items.new_zeros(batch, 1, dim)
        mean = torch.cat([nothing, items.cumsum(1) / count], 1)  # (B, L + 1, d)
        newest = torch.cat([nothing, items], 1)
        joined = torch.cat([mean, newest, start[:, None].expand_as(mean)], 2)  # (B, L + 1, 3d)
        return mean + self.network(joined)


class RecurrentHistory(nn.Module):
    """A gated recurrent unit over the items met, which begins with the start vector.

    Session-based Recommendations with Recurrent Neural Networks (GRU4Rec, ICLR 2016).
    """

    def __init__(self, dim: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.unit = nn.GRU(dim, dim, batch_first=True)
        self.norm = nn.LayerNorm(dim)

    def forward(self, items: Tensor, start: Tensor) -> Tensor:
        scale = items.shape[-1] ** 0.5
        states = start[:, None] * scale  # (B, 1, d)
        if items.shape[1]:
            found, _ = self.unit(self.dropout(items * scale), (start * scale)[None].contiguous())
            states = torch.cat([states, found], 1)
        return self.norm(states)  # (B, L + 1, d)


class CausalTransformer(nn.Module):
    """Pre-norm causal transformer with learnt positions, the first of which holds the start vector.

    Self-Attentive Sequential Recommendation (SASRec, ICDM 2018), with a start token and positions counted from the
    oldest item of the window, so that every prefix met in training is one that a request may bring.
    """

    def __init__(self, dim: int, length: int, blocks: int = 2, heads: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(length + 1, dim) * 0.02)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(dim, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(dim)

    def forward(self, items: Tensor, start: Tensor) -> Tensor:
        states = torch.cat([start[:, None], items], 1) * items.shape[-1] ** 0.5  # (B, L + 1, d)
        states = self.dropout(states + self.positions[: states.shape[1]])
        for block in self.blocks:
            states = block(states)
        return self.norm(states)  # (B, L + 1, d)


HISTORIES = ("attention", "gru", "pooled")
History = CausalTransformer | RecurrentHistory | PooledHistory


def history_of(kind: str, dim: int, length: int, blocks: int, heads: int, dropout: float) -> History:
    """The encoder of that name, one of HISTORIES; blocks and heads are of attention."""
    if kind == "attention":
        return CausalTransformer(dim, length, blocks, heads, dropout)
    return RecurrentHistory(dim, dropout) if kind == "gru" else PooledHistory(dim, dropout)


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        if dim % heads:
            raise ParameterError(f"dim={dim} is no multiple of heads={heads}: change one of them")
        self.heads = heads
        self.attention_norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, 3 * dim)
        self.merge = nn.Linear(dim, dim)
        self.network_norm = nn.LayerNorm(dim)
        self.network = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        batch, length, dim = states.shape
        parts = self.project(self.attention_norm(states)).view(batch, length, 3, self.heads, dim // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # each (B, H, L, d / H)
        met = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        states = states + self.dropout(self.merge(met.transpose(1, 2).reshape(batch, length, dim)))
        return states + self.dropout(self.network(self.network_norm(states)))
