"""Scorers: how well an item fits a request, split into what is computed once an item and once a request.

All have one interface. `met` is what a behaviour brings, and `asked` makes a request's side from the user's state and
the latest of them, in training for every moment that is learnt from; `items` makes an item's side from its vector, kept
in the index; `block` and `pairs` score the two, and are all that is left to do for a pair. Which of them a method takes
is one parameter: see `scorer_of`.

Shapes: B requests (or moments), C items, L behaviours; d = dim, h = hidden, K = interests or components. An item's
vector has d + 1 numbers, its bias last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import ParameterError

ABSENT = -1e4  # the logit of a behaviour that is not there: its weight is exp(-1e4) = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a scorer computes from B requests alone.

    state (B, d + 1): the user's, a one at its end; parts: what else the scorer makes of it, first dimension B.
    """

    state: Tensor
    parts: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.state)

    def rows(self, start: int, stop: int) -> Asked:
        """Some of the requests, as views."""
        return Asked(self.state[start:stop], tuple(part[start:stop] for part in self.parts))

    def ordered(self, order: Tensor) -> Asked:
        """The requests int64 (B',) in this order, copied."""
        return Asked(self.state[order], tuple(part[order] for part in self.parts))


def joined(asked: Sequence[Asked]) -> Asked:
    """Consecutive blocks of requests as one."""
    if len(asked) == 1:
        return asked[0]
    parts = zip(*(one.parts for one in asked), strict=True)
    return Asked(torch.cat([one.state for one in asked]), tuple(torch.cat(part) for part in parts))


class Scorer(nn.Module, ABC):
    """dim: length of user states and item vectors; behaviours: how many of the latest are looked at, 0 for none."""

    def __init__(self, dim: int, behaviours: int = 0) -> None:
        super().__init__()
        self.dim, self.behaviours = dim, behaviours

    @property
    @abstractmethod
    def width(self) -> int:
        """Numbers that an item brings."""

    @property
    @abstractmethod
    def flops(self) -> int:
        """Floating point operations of the matrix products for one pair."""

    @abstractmethod
    def items(self, vectors: Tensor) -> Tensor:
        """What is computed from items alone: vectors (..., d + 1) -> (..., width)."""

    def met(self, behaviours: Tensor) -> Tensor:
        """What is computed from a behaviour alone, whichever moment looks back at it: behaviours (..., 2d), the vector
        of the item met and the user's state after it -> (..., w)."""
        return behaviours

    @abstractmethod
    def asked(self, state: Tensor, met: Tensor, ages: Tensor) -> Asked:
        """What is computed from requests alone.

        state (B, d); met (B, L, w): of each behaviour; ages int64 (B, L): 1 for the newest, larger before, 0 or less
        for none.
        """

    @abstractmethod
    def block(self, asked: Asked, items: Tensor) -> Tensor:
        """The scores (B, C) of the same items (C, width) for every request."""

    @abstractmethod
    def pairs(self, asked: Asked, items: Tensor) -> Tensor:
        """The scores (B, C) of each request's own items (B, C, width)."""


class InnerProduct(Scorer):
    """s = <u, x> + c: what a two-tower model computes."""

    @property
    def width(self) -> int:
        return self.dim + 1

    @property
    def flops(self) -> int:
        return 2 * self.width

    def items(self, vectors: Tensor) -> Tensor:
        return vectors

    def asked(self, state: Tensor, met: Tensor, ages: Tensor) -> Asked:
        return Asked(with_one(state))

    def block(self, asked: Asked, items: Tensor) -> Tensor:
        return asked.state @ items.T

    def pairs(self, asked: Asked, items: Tensor) -> Tensor:
        return products(asked.state[:, None], items)[:, 0]


class MultiInterest(Scorer):
    """s = max_k <u_k, x> + c over the user's state and K interests, which attend to the behaviours on their own.

    Controllable Multi-Interest Framework for Recommendation (ComiRec-SA, KDD 2020): interest k is the sum of the
    behaviours weighed by softmax_j(w_k . tanh(W h_j)). Departures: an age's learnt bias joins the logit, and the user's
    state is a further interest, alone where nothing has been met.
    """

    def __init__(self, dim: int, behaviours: int = 32, interests: int = 4) -> None:
        super().__init__(dim, behaviours)
        self.interests = interests
        self.hidden = nn.Linear(2 * dim, 2 * dim)
        self.choose = nn.Linear(2 * dim, interests)
        self.value = nn.Linear(2 * dim, dim)
        self.age = nn.Parameter(torch.zeros(behaviours + 1, interests))

    @property
    def width(self) -> int:
        return self.dim + 1

    @property
    def flops(self) -> int:
        return 2 * self.width * (self.interests + 1)

    def items(self, vectors: Tensor) -> Tensor:
        return vectors

    def met(self, behaviours: Tensor) -> Tensor:
        return torch.cat([self.choose(torch.tanh(self.hidden(behaviours))), self.value(behaviours)], -1)

    def asked(self, state: Tensor, met: Tensor, ages: Tensor) -> Asked:
        known = (ages > 0) & (ages <= self.behaviours)
        chosen, values = met.split([self.interests, self.dim], 2)
        logits = chosen + self.age[ages.clamp(0, self.behaviours)]  # (B, L, K)
        weights = torch.softmax(logits.masked_fill(~known[:, :, None], ABSENT), 1)
        found = torch.einsum("blk,bld->bkd", weights, values)  # (B, K, d)
        found = torch.where(known.any(1)[:, None, None], found, state[:, None])
        return Asked(with_one(state), (with_one(torch.cat([state[:, None], found], 1)),))  # (B, K + 1, d + 1)

    def block(self, asked: Asked, items: Tensor) -> Tensor:
        (interests,) = asked.parts
        return (interests.flatten(0, 1) @ items.T).view(len(asked), -1, len(items)).amax(1)

    def pairs(self, asked: Asked, items: Tensor) -> Tensor:
        (interests,) = asked.parts
        return products(interests, items).amax(1)


class MixtureOfLogits(Scorer):
    """s = sum_k g_k(u, x) <u_k, x_k> + c with K components, the gates softmax_k of a request's, an item's and their own
    logits.

    Revisiting Neural Retrieval on Accelerators (MoL, KDD 2023): components are cut from one vector each, normalised to
    length 1 and scaled; the gate's logits are the sum of one from the request, one from the item and one linear in the
    component's own inner product (the paper's cross term is an MLP over all of them).
    """

    def __init__(self, dim: int, interests: int = 4) -> None:
        super().__init__(dim)
        self.interests = interests
        self.user = nn.Linear(dim, interests * dim)
        self.item = nn.Linear(dim, interests * dim)
        self.user_gate = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, interests))
        self.item_gate = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, interests))
        self.cross = nn.Linear(interests, interests)
        self.scale = nn.Parameter(torch.tensor(2.5))  # the logarithm of 1 / temperature, about 12

    @property
    def width(self) -> int:
        return self.interests * (self.dim + 1) + 1

    @property
    def flops(self) -> int:
        return 2 * self.interests * (self.dim + self.interests)

    def items(self, vectors: Tensor) -> Tensor:
        content = vectors[..., : self.dim]
        parts = functional.normalize(self.item(content).unflatten(-1, (self.interests, self.dim)), dim=-1)
        return torch.cat([parts.flatten(-2), self.item_gate(content), vectors[..., self.dim :]], -1)

    def asked(self, state: Tensor, met: Tensor, ages: Tensor) -> Asked:
        parts = functional.normalize(self.user(state).unflatten(-1, (self.interests, self.dim)), dim=-1)
        return Asked(with_one(state), (parts * self.scale.exp(), self.user_gate(state)))  # (B, K, d), (B, K)

    def block(self, asked: Asked, items: Tensor) -> Tensor:
        parts, gates = asked.parts
        vectors, item_gates, bias = self.split(items)
        inner = torch.einsum("bkd,ckd->bck", parts, vectors)
        return self._mixed(inner, gates[:, None] + item_gates) + bias

    def pairs(self, asked: Asked, items: Tensor) -> Tensor:
        parts, gates = asked.parts
        vectors, item_gates, bias = self.split(items)
        inner = torch.einsum("bkd,bckd->bck", parts, vectors)
        return self._mixed(inner, gates[:, None] + item_gates) + bias

    def split(self, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors (..., K, d), gate logits (..., K) and biases (...) of an item side (..., width)."""
        vectors, gates, bias = items.split([self.interests * self.dim, self.interests, 1], -1)
        return vectors.unflatten(-1, (self.interests, self.dim)), gates, bias[..., 0]

    def _mixed(self, inner: Tensor, gates: Tensor) -> Tensor:
        """Scores (B, C) of inner products and gate logits (B, C, K)."""
        return (torch.softmax(gates + self.cross(inner * torch.exp(-self.scale)), -1) * inner).sum(-1)


class DNN(Scorer):
    """s = <u, x> + c + MLP(u, x), without attention: the paper's "DNN".

    The MLP has layers of h, h / 2 and h / 4 units. Its first layer is linear in its inputs, so a request's and an
    item's slice of it are computed once each; its last starts small, so that the inner product speaks first.
    """

    def __init__(self, dim: int, hidden: int = 128, behaviours: int = 0) -> None:
        super().__init__(dim, behaviours)
        self.hidden = hidden
        self.user = nn.Linear(dim, hidden)
        self.item = nn.Linear(dim, hidden, bias=False)
        self.second = nn.Linear(hidden, hidden // 2)
        self.third = nn.Linear(hidden // 2, hidden // 4)
        self.last = nn.Linear(hidden // 4, 1, bias=False)
        nn.init.normal_(self.last.weight, std=0.1 * hidden**-0.5)

    @property
    def width(self) -> int:
        return self.dim + 1 + self.hidden

    @property
    def flops(self) -> int:
        half, quarter = self.hidden // 2, self.hidden // 4
        return 2 * (self.dim + 1 + self.hidden * half + half * quarter + quarter)

    def items(self, vectors: Tensor) -> Tensor:
        return torch.cat([vectors, self.item(vectors[..., : self.dim])], -1)

    def asked(self, state: Tensor, met: Tensor, ages: Tensor) -> Asked:
        return Asked(with_one(state), (self.user(state),))  # (B, h)

    def block(self, asked: Asked, items: Tensor) -> Tensor:
        (own,) = asked.parts
        vectors, slices = items.split([self.dim + 1, self.hidden], 1)
        return asked.state @ vectors.T + self.judged(own[:, None] + slices)

    def pairs(self, asked: Asked, items: Tensor) -> Tensor:
        (own,) = asked.parts
        vectors, slices = items.split([self.dim + 1, self.hidden], 2)
        return products(asked.state[:, None], vectors)[:, 0] + self.judged(own[:, None] + slices)

    def judged(self, first: Tensor) -> Tensor:
        """The MLP's output (B, C) from the first layer's sums (B, C, h), which it may overwrite."""
        shape = first.shape[:2]
        hidden = _relu(first).flatten(0, 1)
        hidden = _relu(self.second(hidden))
        return self.last(_relu(self.third(hidden))).view(shape)


def _relu(values: Tensor) -> Tensor:
    """In place where no gradient needs the values."""
    return values.relu() if torch.is_grad_enabled() else values.relu_()


def products(states: Tensor, items: Tensor) -> Tensor:
    """Inner products (B, K, C) of each request's K states (B, K, d) and its own items (B, C, d). In this order, the
    many last, they take a quarter of the time of the other where K is 1 and no gradient is wanted."""
    return torch.bmm(states, items.transpose(1, 2))


def with_one(states: Tensor) -> Tensor:
    """states (..., d) with a one at their end, which an item's bias answers to: (..., d + 1)."""
    return functional.pad(states, (0, 1), value=1.0)


def scorer_of(name: str, dim: int, behaviours: int, hidden: int, interests: int) -> Scorer:
    """The scorer that a method's parameter names; raises ParameterError for another name."""
    from bench_neural.attention import TargetAttention, WindowedAttention

    if name == "inner":
        return InnerProduct(dim)
    if name == "interests":
        return MultiInterest(dim, behaviours, interests)
    if name == "mol":
        return MixtureOfLogits(dim, interests)
    if name == "dnn":
        return DNN(dim, hidden)
    if name == "attention":
        return TargetAttention(dim, hidden, behaviours)
    if name == "windows":
        return WindowedAttention(dim, hidden, behaviours)
    raise ParameterError(f"scorer={name!r} is none of inner, interests, mol, dnn, attention, windows")
