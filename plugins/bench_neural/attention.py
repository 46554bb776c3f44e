"""The scorer with target attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench_neural.encoders import SPREAD
from bench_neural.scorers import ABSENT, DNN, Asked, with_one

AKIN = 2.5 / SPREAD**2  # at first, each feature that two items share adds 2.5 to the logit
HIGHEST = 40.0  # logits are cut here, so that exp and the sum over behaviours stay finite


class TargetAttention(DNN):
    """s = <u, x> + c + MLP(u, sum_j alpha_j v_j, x) + w log sum_j exp(a_j), alpha = softmax(a).

    a_j = <k_j, x> + age_j is how akin the item is to behaviour j; a further, empty behaviour takes the weight where
    none is. k_j and v_j come from an MLP over the behaviour's item and the user's state after it (NANN, CIKM 2022: MLP
    on behaviours and target, scaled dot-product attention; the target's is the item network before). Departures: the
    inner product, as in DNN; and the last term, a soft maximum over behaviours, which softmax otherwise forgets.

    What is left for a pair is one product with the request's d + 2 x (L + 2) keys (the state among them, and with each
    key the age's bias, which meets the item's constant 1), exp, one with its values, and the MLP from its second layer.
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
        columns = self.behaviours + 1
        attention = 2 * columns * (self.dim + 2 + self.hidden + 1)
        return super().flops + attention

    def items(self, vectors: Tensor) -> Tensor:
        content = vectors[..., : self.dim]
        return torch.cat([functional.pad(vectors, (0, 1), value=1.0), self.item(content)], -1)

    def asked(self, state: Tensor, behaviours: Tensor, ages: Tensor) -> Asked:
        batch = len(state)
        known = (ages > 0) & (ages <= self.behaviours)
        bias = torch.where(known, self.age[ages.clamp(0, self.behaviours)], ABSENT)  # (B, L)
        keys = self.akin(behaviours) + self.key(behaviours)  # (B, L, d)
        nothing = keys.new_zeros(batch, 1, self.dim)
        bias = torch.cat([bias, self.age[:1].expand(batch, 1), bias.new_zeros(batch, 1)], 1)  # (B, L + 2)
        weight = torch.zeros_like(bias)
        weight[:, -1] = 1.0  # of the item's bias: the state alone counts it
        keys = torch.cat([keys, nothing, state[:, None]], 1)  # (B, L + 2, d)
        keys = torch.cat([keys, weight[:, :, None], bias[:, :, None]], 2)  # (B, L + 2, d + 2)
        values = torch.cat([self.value(behaviours), self.empty.expand(batch, 1, -1)], 1)
        values = functional.pad(values, (0, 1), value=1.0)  # (B, L + 1, h + 1): the ones sum the weights
        return Asked(with_one(state), (keys, values, self.user(state)))

    def block(self, asked: Asked, items: Tensor) -> Tensor:
        keys, values, own = asked.parts
        vectors, slices = items.split([self.dim + 2, self.hidden], 1)
        logits = (keys.flatten(0, 1) @ vectors.T).view(*keys.shape[:2], len(items))  # (B, L + 2, C)
        return self._score(logits.transpose(1, 2), values, own, slices)

    def pairs(self, asked: Asked, items: Tensor) -> Tensor:
        keys, values, own = asked.parts
        vectors, slices = items.split([self.dim + 2, self.hidden], 2)
        return self._score(torch.bmm(vectors, keys.transpose(1, 2)), values, own, slices)

    def _score(self, logits: Tensor, values: Tensor, own: Tensor, slices: Tensor) -> Tensor:
        """logits (B, C, L + 2), the inner product last; values (B, L + 1, h + 1); own (B, h); slices (..., C, h)."""
        weights = logits[:, :, :-1].clamp(max=HIGHEST).exp()  # (B, C, L + 1)
        met = torch.bmm(weights, values)  # (B, C, h + 1)
        total = met[:, :, -1:]
        first = met[:, :, :-1] / total + own[:, None] + slices
        return logits[:, :, -1] + self.judged(first) + self.evidence * total[:, :, 0].log()
