"""The scorer with target attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench_neural.encoders import SPREAD
from bench_neural.scorers import ABSENT, DNN, Asked, products, with_one

AKIN = 2.5 / SPREAD**2  # at first, each feature that two items share adds 2.5 to the logit
LEAST = 1e-30  # weight of the empty behaviour, so that the soft maximum stays below 69


class TargetAttention(DNN):
    """s = <u, x> + c + MLP(u, sum_j alpha_j v_j, x) + w log sum_j exp(a_j), alpha = softmax(a).

    a_j = <k_j, x> + age_j is how akin the item is to behaviour j; a further, empty behaviour takes the weight where
    none is. k_j and v_j come from an MLP over the behaviour's item and the user's state after it (NANN, CIKM 2022: MLP
    on behaviours and target, scaled dot-product attention; the target's is the item network before). Departures: the
    inner product, as in DNN; the last term, a soft maximum over behaviours, which softmax otherwise forgets; and no
    1 / sqrt(d), which is in the scale that the keys begin with and learn.

    What is left for a pair: the product with the request's keys (an item brings a constant 1, which meets the age's
    bias), a softmax, the product with its values, which are behind the first score layer already and hold the request's
    own slice of it, and the MLP from its second layer. The soft maximum is read off the empty behaviour's weight.
    """

    def __init__(self, dim: int, hidden: int = 128, behaviours: int = 32) -> None:
        super().__init__(dim, hidden, behaviours)
        self.key = nn.Sequential(nn.Linear(2 * dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.akin = nn.Linear(2 * dim, dim, bias=False)
        self.value = nn.Sequential(nn.Linear(2 * dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, hidden))
        self.age = nn.Parameter(torch.zeros(behaviours + 1))  # 0: the empty behaviour, then the newest, ...
        self.empty = nn.Parameter(torch.zeros(hidden))
        self.evidence = nn.Parameter(torch.ones(()))
        with torch.no_grad():
            self.key[-1].weight.mul_(0.1)
            self.akin.weight.copy_(AKIN * torch.eye(dim, 2 * dim))

    @property
    def width(self) -> int:
        return self.dim + 2 + self.hidden

    @property
    def flops(self) -> int:
        return super().flops + 2 * (self.behaviours + 1) * (self.dim + 2 + self.hidden)

    def items(self, vectors: Tensor) -> Tensor:
        content = vectors[..., : self.dim]
        return torch.cat([functional.pad(vectors, (0, 1), value=1.0), self.item(content)], -1)

    def met(self, behaviours: Tensor) -> Tensor:
        return torch.cat([self.akin(behaviours) + self.key(behaviours), self.value(behaviours)], -1)

    def asked(self, state: Tensor, met: Tensor, ages: Tensor) -> Asked:
        known = (ages > 0) & (ages <= self.behaviours)
        bias = torch.where(known, self.age[ages.clamp(0, self.behaviours)], ABSENT)  # (B, L)
        keys, values = met.split([self.dim, self.hidden], 2)
        keys = torch.cat([functional.pad(keys, (0, 1)), bias[:, :, None]], 2)  # the item's bias does not matter here
        empty = functional.pad(self.age[:1].expand(len(state), 1), (self.dim + 1, 0))  # (B, d + 2)
        values = torch.cat([self.empty.expand(len(state), 1, -1), values], 1)  # (B, L + 1, h)
        return Asked(with_one(state), (torch.cat([empty[:, None], keys], 1), values + self.user(state)[:, None]))

    def block(self, asked: Asked, items: Tensor) -> Tensor:
        keys, values = asked.parts  # (B, L + 1, d + 2), (B, L + 1, h)
        vectors, slices = items.split([self.dim + 2, self.hidden], 1)
        logits = (keys.flatten(0, 1) @ vectors.T).view(*keys.shape[:2], len(items))
        weights = torch.softmax(logits, 1)  # (B, L + 1, C)
        first = torch.baddbmm(slices.expand(len(asked), -1, -1), weights.transpose(1, 2), values)  # (B, C, h)
        return asked.state @ items[:, : self.dim + 1].T + self.judged(first) + self._most(weights[:, 0])

    def pairs(self, asked: Asked, items: Tensor) -> Tensor:
        keys, values = asked.parts
        vectors, slices = items.split([self.dim + 2, self.hidden], 2)
        weights = torch.softmax(products(keys, vectors), 1)  # (B, L + 1, C): fastest along C
        first = torch.baddbmm(slices, weights.transpose(1, 2), values)
        inner = products(asked.state[:, None], items[:, :, : self.dim + 1])[:, 0]
        return inner + self.judged(first) + self._most(weights[:, 0])

    def _most(self, empty: Tensor) -> Tensor:
        """w log sum_j exp(a_j), since the empty behaviour's weight is exp(age_0) / sum_j exp(a_j)."""
        return self.evidence * (self.age[0] - empty.clamp(min=LEAST).log())


WINDOWS = (1, 1, 1, 2, 2, 2, 10, 10, 20, 20)  # behaviours in each, the newest first (OTM, ICML 2020)


class WindowedAttention(TargetAttention):
    """s = <u, x> + c + MLP(u, sum_w V_w sum_{j in w} alpha_j h_j, x), alpha = softmax(a) within each window w of time.

    Learning Tree-based Deep Model for Recommender Systems (TDM, KDD 2018, section 3.3): the behaviours of each window
    are averaged by their kinship with the node, and all averages enter the MLP side by side. Since its first layer is
    linear, a behaviour's part of it, by its window's slice, is computed once a request. Departures: the inner product
    and the user's state, as in DNN; behaviours beyond the windows share the last.
    """

    window: Tensor

    def __init__(self, dim: int, hidden: int = 128, behaviours: int = 32) -> None:
        super().__init__(dim, hidden, behaviours)
        ends = torch.cumsum(torch.tensor(WINDOWS), 0)
        window = torch.searchsorted(ends, torch.arange(behaviours), right=True).clamp(max=len(WINDOWS) - 1)
        self.sizes = torch.bincount(window).tolist()
        self.register_buffer("window", window, persistent=False)
        self.slices = nn.Parameter(torch.randn(len(self.sizes), 2 * dim, hidden) * (2 * dim) ** -0.5)
        del self.value, self.empty, self.evidence

    def met(self, behaviours: Tensor) -> Tensor:
        return torch.cat([self.akin(behaviours) + self.key(behaviours), behaviours], -1)

    def asked(self, state: Tensor, met: Tensor, ages: Tensor) -> Asked:
        known, count = (ages > 0) & (ages <= self.behaviours), self.behaviours
        place = torch.where(known, ages - 1, count)  # (B, L'): by age, the newest first
        there = known.new_zeros(len(state), count + 1).scatter(1, place, known)[:, :count]  # (B, L)
        ordered = met.new_zeros(len(state), count + 1, met.shape[2])
        ordered = ordered.scatter(1, place[:, :, None].expand_as(met), met)[:, :count]
        keys, behaviours = ordered.split([self.dim, 2 * self.dim], 2)  # (B, L, d), (B, L, 2d)
        bias = torch.where(there, self.age[1:], ABSENT)  # (B, L)
        keys = torch.cat([functional.pad(keys, (0, 1)), bias[:, :, None]], 2)
        seen = (behaviours * there[:, :, None]).transpose(0, 1)  # (L, B, 2d): nothing where there is none
        values = torch.bmm(seen, self.slices[self.window]).transpose(0, 1)  # (B, L, h)
        return Asked(with_one(state), (keys, values, self.user(state)))

    def block(self, asked: Asked, items: Tensor) -> Tensor:
        keys, _, _ = asked.parts
        vectors, slices = items.split([self.dim + 2, self.hidden], 1)
        logits = (keys.flatten(0, 1) @ vectors.T).view(*keys.shape[:2], len(items))
        return asked.state @ items[:, : self.dim + 1].T + self._over(asked, logits, slices.expand(len(asked), -1, -1))

    def pairs(self, asked: Asked, items: Tensor) -> Tensor:
        keys, _, _ = asked.parts
        vectors, slices = items.split([self.dim + 2, self.hidden], 2)
        inner = products(asked.state[:, None], items[:, :, : self.dim + 1])[:, 0]
        return inner + self._over(asked, products(keys, vectors), slices)

    def _over(self, asked: Asked, logits: Tensor, slices: Tensor) -> Tensor:
        """The MLP's output (B, C) from the kinship (B, L, C) of behaviours and the items' slices (B, C, h)."""
        _, values, own = asked.parts
        weights = torch.cat([part.softmax(1) for part in logits.split(self.sizes, 1)], 1)
        return self.judged(torch.baddbmm(slices, weights.transpose(1, 2), values) + own[:, None])
