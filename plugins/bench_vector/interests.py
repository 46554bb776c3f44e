"""Several vectors a request, each of one of the user's interests."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from bench_neural.encoders import ItemBias, ItemEncoder
from bench_neural.scorers import ABSENT
from bench_neural.users import UserEncoder
from bench_vector.tower import Towers, met_before

SPREAD = 1.0  # of the routing's first logits, where interests share one map


class Extractor(nn.Module, ABC):
    """Behaviours to interests. dim: length of both; length: behaviours at most; interests: K."""

    def __init__(self, dim: int, length: int, interests: int) -> None:
        super().__init__()
        self.dim, self.length, self.interests = dim, length, interests

    @abstractmethod
    def forward(self, met: Tensor, known: Tensor) -> Tensor:
        """Interests (P, K, d) of behaviours (P, L, d), newest first, of which those that are there are known bool
        (P, L); zero where there are none."""


class SelfAttention(Extractor):
    """V = A H with A = softmax_j(W2 tanh(W1 h_j)), an attention for each interest (ComiRec-SA of Controllable
    Multi-Interest Framework for Recommendation, KDD 2020, equations 4 and 5); W1 sees the place's own embedding too."""

    def __init__(self, dim: int, length: int, interests: int) -> None:
        super().__init__(dim, length, interests)
        self.places = nn.Parameter(torch.randn(length, dim) * 0.02)
        self.hidden = nn.Linear(dim, 4 * dim, bias=False)
        self.choose = nn.Linear(4 * dim, interests, bias=False)

    def forward(self, met: Tensor, known: Tensor) -> Tensor:
        logits = self.choose(torch.tanh(self.hidden(met + self.places[: met.shape[1]])))  # (P, L, K)
        shares = torch.softmax(logits.masked_fill(~known[:, :, None], ABSENT), 1) * known[:, :, None]
        return torch.einsum("plk,pld->pkd", shares, met)


class DynamicRouting(Extractor):
    """Behaviours flow to capsules, the more the better they agree, in a few rounds.

    c_jk = softmax_k(b_jk), z_k = sum_j c_jk W_k h_j, v_k = squash(z_k), b_jk <- b_jk + v_k . W_k h_j (Multi-Interest
    Network with Dynamic Routing, MIND, CIKM 2019, algorithm 1; ComiRec-DR, KDD 2020, algorithm 1). maps: 1, a W that
    all interests share and first logits b drawn at random, once for all (MIND); or K, each its own and b zero
    (ComiRec). Departure: v is sqrt(d) times as long as squashed, the size that states have elsewhere.
    """

    logits: Tensor

    def __init__(self, dim: int, length: int, interests: int, maps: int, rounds: int) -> None:
        super().__init__(dim, length, interests)
        self.rounds = rounds
        self.maps = nn.Parameter(torch.randn(maps, dim, dim) * dim**-0.5)
        first = torch.randn(length, interests) * SPREAD if maps == 1 else torch.zeros(length, interests)
        self.register_buffer("logits", first)

    def forward(self, met: Tensor, known: Tensor) -> Tensor:
        flows = torch.einsum("pld,kde->plke", met, self.maps).expand(-1, -1, self.interests, -1)  # (P, L, K, d)
        still, logits = flows.detach(), self.logits[: met.shape[1]].expand(len(met), -1, -1)  # (P, L, K)
        for _ in range(self.rounds - 1):
            capsules = squashed(_gathered(still, logits, known))
            logits = logits + torch.einsum("plke,pke->plk", still, capsules)
        return squashed(_gathered(flows, logits, known)) * self.dim**0.5


def squashed(capsules: Tensor) -> Tensor:
    """z |z| / (1 + |z|^2) of vectors (..., d): their direction, and a length below 1 (MIND, equation 7)."""
    square = capsules.square().sum(-1, keepdim=True)
    return capsules * (square / (1 + square)) * (square + 1e-9).rsqrt()


def _gathered(flows: Tensor, logits: Tensor, known: Tensor) -> Tensor:
    """sum_j c_jk flows_jk, (P, K, d), of flows (P, L, K, d)."""
    shares = torch.softmax(logits, 2) * known[:, :, None]
    return torch.einsum("plk,plke->pke", shares, flows)


class InterestTowers(Towers):
    """Towers whose requests have K vectors; an item's score is its best inner product with one of them.

    adaptive: a user of n behaviours has at most max(1, log2(n)) interests (MIND, equation 9), else K. power: how much
    the interests that fit a target best learn from it: the target's vector is the mean of the interests weighed by
    softmax(power <v_k, e>), and with power = inf it is the best alone (ComiRec). MIND raises the products to the power,
    which has no meaning for negative ones.
    """

    def __init__(
        self,
        items: ItemEncoder,
        users: UserEncoder,
        bias: ItemBias | None,
        similarity: str,
        extractor: Extractor,
        adaptive: bool = False,
        power: float = torch.inf,
    ) -> None:
        super().__init__(items, users, bias, similarity)
        dim = items.dim
        self.extractor, self.adaptive, self.power = extractor, adaptive, power
        self.interests = extractor.interests
        self.merge = nn.Sequential(nn.Linear(2 * dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
        nn.init.zeros_(self.merge[-1].weight)

    def asked(self, history: Tensor, codes: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        met, known = met_before(history, chosen, self.extractor.length)
        interests = self.extractor(met * self.encoder.dim**0.5, known)  # (P, K, d)
        rows, at = chosen.nonzero(as_tuple=True)  # (P,)
        if self.adaptive:
            most = torch.log2(at.clamp(min=2)).floor()  # (P,)
            kept = torch.arange(self.interests, device=at.device) < most[:, None]  # (P, K)
            interests = torch.where(kept[:, :, None], interests, interests[:, :1])
        profile = self.users.started(codes, weights)[rows]  # (P, d)
        told = torch.cat([interests, profile[:, None].expand_as(interests)], 2)
        return self.compared_users(interests + profile[:, None] + self.merge(told))

    def focused(self, users: Tensor, targets: Tensor) -> Tensor:
        products = torch.einsum("pkd,pd->pk", users, targets)
        if self.power == torch.inf:
            return users[torch.arange(len(users), device=users.device), products.argmax(1)]
        return torch.einsum("pk,pkd->pd", torch.softmax(self.power * products, 1), users)
