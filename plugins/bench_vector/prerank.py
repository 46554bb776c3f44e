"""Pre-ranking: a small network over pairs, whose inputs are chosen by what they bring and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench_neural.scorers import ABSENT

SHORT = 8  # newest behaviours that the short attention looks at
CROSSED = ("state x item", "newest x item", "attention to the newest", "attention to all")


@dataclass(frozen=True, slots=True)
class Sides:
    """What pre-ranking knows of B requests. fields (B, F, d): the user tower's, its state first, its newest item next;
    met (B, L, d): embeddings of the items met, newest first; known bool (B, L): which are there."""

    fields: Tensor
    met: Tensor
    known: Tensor

    def rows(self, some: slice) -> Sides:
        """Some of the requests."""
        return Sides(self.fields[some], self.met[some], self.known[some])


def crossed(sides: Sides, items: Tensor, which: int) -> Tensor:
    """The input CROSSED[which] of pairs, (B, C, d); items (B, C, d): embeddings of each request's candidates."""
    if which < 2:
        return sides.fields[:, which, None] * items
    length = SHORT if which == 2 else sides.met.shape[1]
    met, known = sides.met[:, :length], sides.known[:, :length]
    logits = torch.bmm(items, met.transpose(1, 2)) * items.shape[2] ** -0.5  # (B, C, L)
    weights = torch.softmax(logits.masked_fill(~known[:, None], ABSENT), 2) * known[:, None]
    return torch.bmm(weights, met)


def cost(which: int, dim: int, hidden: int, length: int) -> int:
    """Multiplications for one pair of the input CROSSED[which] and its share of the first layer."""
    looked_at = {2: min(SHORT, length), 3: length}.get(which, 0)
    return 2 * looked_at * dim + (dim if which < 2 else 0) + dim * hidden


class PreRanker(nn.Module):
    """s = base + MLP over chosen inputs: the user's fields, the item's fields, and what crosses the two.

    COLD: Towards the Next Generation of Pre-Ranking System (DLP-KDD 2020). The first layer is linear in its inputs, so
    the slices of the user's and of the item's fields are computed once for each; only what crosses them costs for every
    pair. base: the towers' own score. kept: numbers of the inputs, user's fields first, then the item's, then CROSSED.
    """

    def __init__(self, users: int, items: int, dim: int, hidden: int, kept: tuple[int, ...]) -> None:
        super().__init__()
        self.users, self.items, self.kept = users, items, kept
        self.own = nn.Parameter(torch.randn(users + items + len(CROSSED), dim, hidden) * dim**-0.5 * 0.5)
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(users + items + len(CROSSED)))
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden // 2), nn.ReLU(), nn.Linear(hidden // 2, 1))
        nn.init.normal_(self.rest[-1].weight, std=0.1 * hidden**-0.5)

    def item_side(self, fields: Tensor) -> Tensor:
        """The items' slices (n, h) of the first layer, from their fields (n, F, d)."""
        return self._slices(fields, self.users)

    def scores(self, sides: Sides, items: Tensor, slices: Tensor, base: Tensor) -> Tensor:
        """Scores (B, C) of each request's candidates: embeddings (B, C, d), what `item_side` gave for them (B, C, h),
        and the towers' scores (B, C)."""
        first = (self._slices(sides.fields, 0) + self.bias)[:, None] + slices
        for which, number in enumerate(range(self.users + self.items, len(self.own))):
            if number in self.kept:
                first = first + self.norms[number](crossed(sides, items, which)) @ self.own[number]
        return base + self.rest(first)[..., 0]

    def _slices(self, fields: Tensor, first: int) -> Tensor:
        """The sum (n, h) of the kept fields' slices, (n, F, d), which are the inputs from `first` on."""
        some = [
            self.norms[first + at](fields[:, at]) @ self.own[first + at]
            for at in range(fields.shape[1])
            if first + at in self.kept
        ]
        return torch.stack(some).sum(0) if some else fields.new_zeros(len(fields), self.own.shape[2])


class Explorer(PreRanker):
    """All inputs, each weighed by a squeeze-and-excitation block: what the weights are on average says what the inputs
    bring (COLD, section 3.2.1: s = sigmoid(W [e_1 .. e_m] + b), the fields weighed by s).

    importances: the running mean weight of each input, a buffer."""

    importances: Tensor

    def __init__(self, users: int, items: int, dim: int, hidden: int) -> None:
        count = users + items + len(CROSSED)
        super().__init__(users, items, dim, hidden, tuple(range(count)))
        self.excite = nn.Linear(count * dim, count)
        self.register_buffer("importances", torch.full((count,), 0.5))

    def explored(self, sides: Sides, items: Tensor, fields: Tensor, base: Tensor) -> Tensor:
        """Scores (B, C) of each request's candidates; fields (B, C, F, d): theirs."""
        pairs = items.shape[:2]
        users = sides.fields[:, None].expand(*pairs, -1, -1)
        crosses = torch.stack([crossed(sides, items, which) for which in range(len(CROSSED))], 2)
        inputs = torch.cat([users, fields, crosses], 2)  # (B, C, G, d)
        inputs = torch.stack([norm(inputs[:, :, at]) for at, norm in enumerate(self.norms)], 2)
        weights = torch.sigmoid(self.excite(inputs.flatten(2)))  # (B, C, G)
        if self.training:
            self.importances.lerp_(weights.detach().mean((0, 1)), 0.01)
        first = (inputs * weights[..., None]).flatten(2) @ self.own.flatten(0, 1) + self.bias
        return base + self.rest(first)[..., 0]


def chosen(importances: Tensor, users: int, items: int, costs: list[int], budget: float) -> tuple[int, ...]:
    """The inputs to keep: those that cost nothing for a pair, and of the others, those that bring most for their cost
    first, what fits into a share `budget` of what all of them cost. costs: of CROSSED."""
    free = users + items
    room = budget * sum(costs)
    kept = list(range(free))
    for at in sorted(range(len(costs)), key=lambda at: -float(importances[free + at]) / costs[at]):
        if costs[at] <= room:
            kept.append(free + at)
            room -= costs[at]
    return tuple(sorted(kept))


def gathered(items: Tensor, places: Tensor) -> Tensor:
    """Rows (B, C, ...) of a table (n, ...) at places int64 (B, C)."""
    return functional.embedding(places, items.flatten(1)).unflatten(-1, items.shape[1:])
