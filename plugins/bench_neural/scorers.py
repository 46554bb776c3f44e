"""Scorers: how well an item fits a request, split into what is computed once an item and once a request.

A scorer of this interface is trained on moments of windows (`windows`), and afterwards scores any pairs of requests and
items from two prepared parts: `Items`, kept in the index, and `Asked`, made once a request.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Asked:
    """What a scorer computes from B requests alone.

    state (B, d + 1), a one at its end; keys (B, L + 1, a) and bias (B, L + 1): the behaviours as attention sees them,
    -inf where there is none; values (B, L + 1, h): what each adds to the first score layer; hidden (B, h): the
    request's own slice of it.
    """

    state: Tensor
    keys: Tensor
    bias: Tensor
    values: Tensor
    hidden: Tensor

    def __len__(self) -> int:
        return len(self.state)

    def rows(self, start: int, stop: int) -> Asked:
        """Some of the requests, as views."""
        parts = (self.state, self.keys, self.bias, self.values, self.hidden)
        return Asked(*(part[start:stop] for part in parts))


class TargetAttentionScorer(nn.Module):
    """Inner product plus a network: s(b, i) = <u_b, x_i> + c_i + MLP(u_b, sum_j alpha_bij v_bj, x_i).

    The user's state u, the item's vector x and its bias c are those of a two-tower model, which the network refines:
    its last layer starts small. alpha are softmax weights over the user's latest behaviours j, from a query of the
    item, a key of the behaviour and a learnt bias of its age; a further, empty behaviour takes the weight where none is
    akin. Since the first score layer is linear in its inputs, its slice for each of them is applied beforehand: an item
    brings a row (x, c, query, slice) of `width` numbers, a behaviour a key and its slice.
    """

    def __init__(self, dim: int, attention: int = 32, hidden: int = 64, behaviours: int = 50) -> None:
        super().__init__()
        self.dim, self.attention, self.hidden, self.behaviours = dim, attention, hidden, behaviours
        self.query = nn.Linear(dim, attention, bias=False)
        self.key = nn.Linear(dim, attention)
        self.value = nn.Linear(dim, hidden, bias=False)
        self.age = nn.Parameter(torch.zeros(behaviours + 1))  # 0: the empty behaviour, then the newest, ...
        self.empty_key, self.empty_value = nn.Parameter(torch.zeros(attention)), nn.Parameter(torch.zeros(hidden))
        self.user = nn.Linear(dim, hidden)
        self.item = nn.Linear(dim, hidden, bias=False)
        self.network = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden // 2), nn.ReLU())
        self.last = nn.Linear(hidden // 2, 1, bias=False)
        nn.init.normal_(self.last.weight, std=0.1 * hidden**-0.5)

    @property
    def width(self) -> int:
        """Numbers that an item brings."""
        return self.dim + 1 + self.attention + self.hidden

    def items(self, vectors: Tensor) -> Tensor:
        """What the scorer computes from items alone: vectors (..., d + 1), the bias at their end -> (..., width)."""
        content = vectors[..., : self.dim]
        return torch.cat([vectors, self.query(content) * self.attention**-0.5, self.item(content)], -1)

    def asked(self, state: Tensor, behaviours: Tensor, ages: Tensor) -> Asked:
        """What it computes from requests alone: state (B, d), behaviours (B, L, d) as item vectors, ages int64 (B, L):
        1 for the newest, larger before, 0 or less for none."""
        batch = len(state)
        keys = torch.cat([self.empty_key.expand(batch, 1, -1), self.key(behaviours)], 1)
        values = torch.cat([self.empty_value.expand(batch, 1, -1), self.value(behaviours)], 1)
        known = (ages > 0) & (ages <= self.behaviours)
        bias = torch.where(known, self.age[ages.clamp(0, self.behaviours)], -torch.inf)
        bias = torch.cat([self.age[:1].expand(batch, 1), bias], 1)  # (B, L + 1)
        return Asked(with_one(state), keys, bias, values, self.user(state))

    def block(self, asked: Asked, items: Tensor) -> Tensor:
        """The scores (B, C) of the same items (C, width) for every request."""
        vectors, queries, slices = items.split([self.dim + 1, self.attention, self.hidden], 1)
        inner = asked.state @ vectors.T  # (B, C)
        queries = queries.expand(len(asked), -1, -1)  # (B, C, a), without a copy
        return inner + self._refine(asked, torch.bmm(queries, asked.keys.transpose(1, 2)), slices)

    def pairs(self, asked: Asked, items: Tensor) -> Tensor:
        """The scores (B, C) of each request's own items (B, C, width)."""
        vectors, queries, slices = items.split([self.dim + 1, self.attention, self.hidden], 2)
        inner = torch.bmm(vectors, asked.state[:, :, None])[:, :, 0]  # (B, C)
        relevance = torch.bmm(queries, asked.keys.transpose(1, 2))  # (B, C, L + 1)
        return inner + self._refine(asked, relevance, slices)

    def _refine(self, asked: Asked, relevance: Tensor, slices: Tensor) -> Tensor:
        weights = torch.softmax(relevance + asked.bias[:, None], 2)  # (B, C, L + 1)
        hidden = torch.bmm(weights, asked.values) + asked.hidden[:, None] + slices  # (B, C, h)
        return self.last(self.network(hidden))[:, :, 0]


def with_one(states: Tensor) -> Tensor:
    """states (..., d) with a one at their end, which an item's bias answers to: (..., d + 1)."""
    return functional.pad(states, (0, 1), value=1.0)
