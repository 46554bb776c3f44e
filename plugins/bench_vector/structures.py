"""How a tower makes one vector of its fields: what sets one model of the family apart from another.

A tower's fields are vectors of one length d, (..., F, d): of an item its id and each feature; of a user what the
history encoder says, the newest item, the mean of the items met, and each feature of the profile.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

SQUEEZED = 2  # times fewer numbers within the squeeze-and-excitation block
SHORTCUTS = ("middle", "last", "wide", "residual")


class Structure(nn.Module, ABC):
    """fields (..., F, d) -> vectors (..., width). fields: F; dim: d; hidden: width of the layers within.

    The fields are brought to one scale together, so that their sizes still tell what speaks first.
    """

    width: int

    def __init__(self, fields: int, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.width = dim
        self.norm = nn.LayerNorm([fields, dim])

    def forward(self, fields: Tensor) -> Tensor:
        return self.vectors(fields, self.norm(fields))

    @abstractmethod
    def vectors(self, fields: Tensor, scaled: Tensor) -> Tensor:
        """The vectors of the fields as they are, and brought to one scale."""


class Perceptron(Structure):
    """Two layers over the fields side by side (Deep Structured Semantic Models, CIKM 2013)."""

    def __init__(self, fields: int, dim: int, hidden: int, dropout: float) -> None:
        super().__init__(fields, dim, hidden, dropout)
        self.first = _layer(fields * dim, hidden, dropout)
        self.last = nn.Linear(hidden, dim)

    def vectors(self, fields: Tensor, scaled: Tensor) -> Tensor:
        return self.last(self.first(scaled.flatten(-2)))


class SqueezeExcitation(Perceptron):
    """Fields weighed by what all of them say, before the layers of a Perceptron.

    z_f = mean of field f's numbers, a = relu(W2 relu(W1 z)), e'_f = a_f e_f (SENet, CVPR 2018, over fields as in
    FiBiNET, RecSys 2019). The weights begin at about 1.
    """

    def __init__(self, fields: int, dim: int, hidden: int, dropout: float) -> None:
        super().__init__(fields, dim, hidden, dropout)
        self.squeeze = nn.Linear(fields, max(1, fields // SQUEEZED))
        self.excite = nn.Linear(max(1, fields // SQUEEZED), fields)
        nn.init.ones_(self.excite.bias)

    def weights(self, scaled: Tensor) -> Tensor:
        """What each field counts, (..., F), from 0 on."""
        return self.excite(self.squeeze(scaled.mean(-1)).relu()).relu()

    def vectors(self, fields: Tensor, scaled: Tensor) -> Tensor:
        return super().vectors(fields, scaled * self.weights(scaled)[..., None])


class Shortcut(Structure):
    """A Perceptron of three layers, some of which see the fields again.

    to: "middle" or "last", the layer that sees all fields beside what comes from below; "residual", the sum of the
    fields is added to the result; "wide", the first field (an item's id, a user's state) stands beside the result, and
    vectors are twice as long.
    """

    def __init__(self, fields: int, dim: int, hidden: int, dropout: float, to: str) -> None:
        super().__init__(fields, dim, hidden, dropout)
        whole = fields * dim
        self.to = to
        self.width = 2 * dim if to == "wide" else dim
        self.first = _layer(whole, hidden, dropout)
        self.second = _layer(hidden + (whole if to == "middle" else 0), hidden, dropout)
        self.last = nn.Linear(hidden + (whole if to == "last" else 0), dim)

    def vectors(self, fields: Tensor, scaled: Tensor) -> Tensor:
        whole = scaled.flatten(-2)
        hidden = self.first(whole)
        hidden = self.second(torch.cat([hidden, whole], -1) if self.to == "middle" else hidden)
        found = self.last(torch.cat([hidden, whole], -1) if self.to == "last" else hidden)
        if self.to == "wide":
            return torch.cat([fields[..., 0, :], found], -1)
        return found + fields.sum(-2) if self.to == "residual" else found


class Parallel(Perceptron):
    """Three networks side by side: a Perceptron, a cross network (DCN V2, WWW 2021: x' = x0 * (W x + b) + x, twice)
    and pairwise products of fields (FM, ICDM 2010: (sum^2 - sum of squares) / 2).

    Both towers have the three in the same order, so the inner product of the vectors, three times as long, is
    s = sum_k w_k <u_k, v_k>: one index serves all. The weights w are learnt in each tower on its own; only their
    product matters.
    """

    def __init__(self, fields: int, dim: int, hidden: int, dropout: float) -> None:
        super().__init__(fields, dim, hidden, dropout)
        whole = fields * dim
        self.width = 3 * dim
        self.crosses = nn.ModuleList(nn.Linear(whole, whole) for _ in range(2))
        self.crossed = nn.Linear(whole, dim)
        self.product = nn.Linear(dim, dim)
        self.weights = nn.Parameter(torch.ones(3))

    def vectors(self, fields: Tensor, scaled: Tensor) -> Tensor:
        crossed = whole = scaled.flatten(-2)
        for layer in self.crosses:
            crossed = whole * layer(crossed) + crossed
        pairs = (scaled.sum(-2).square() - scaled.square().sum(-2)) / 2
        deep = super().vectors(fields, scaled)
        parts = torch.stack([deep, self.crossed(crossed), self.product(pairs)], -2)  # (..., 3, d)
        return (parts * self.weights[:, None]).flatten(-2)


class Channels(Structure):
    """Each field through a layer of its own; their sum, weighed by a softmax of what all of them say (Que2Search, KDD
    2021: "simple attention fusion")."""

    def __init__(self, fields: int, dim: int, hidden: int, dropout: float) -> None:
        super().__init__(fields, dim, hidden, dropout)
        self.own = nn.Parameter(torch.randn(fields, dim, dim) * dim**-0.5)
        self.attend = nn.Linear(fields * dim, fields)
        self.dropout = nn.Dropout(dropout)

    def vectors(self, fields: Tensor, scaled: Tensor) -> Tensor:
        channels = torch.einsum("...fd,fde->...fe", self.dropout(scaled), self.own)
        weights = torch.softmax(self.attend(channels.flatten(-2)), -1)  # (..., F)
        return (channels * weights[..., None]).sum(-2)


def structure_of(name: str, fields: int, dim: int, hidden: int, dropout: float, shortcut: str) -> Structure | None:
    """The structure of that name; None for "plain", where an item is the sum of its fields and a user its state."""
    if name == "plain":
        return None
    if name == "shortcut":
        return Shortcut(fields, dim, hidden, dropout, shortcut)
    kinds: dict[str, type[Structure]] = {
        "layers": Perceptron,
        "senet": SqueezeExcitation,
        "parallel": Parallel,
        "channels": Channels,
    }
    return kinds[name](fields, dim, hidden, dropout)


def _layer(wide: int, width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(wide, width), nn.GELU(), nn.Dropout(dropout))
