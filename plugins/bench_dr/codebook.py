"""A codebook that follows the item vectors while these are learnt: the one layer of streaming vector quantisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench_dr.layers import PathModel
from bench_dr.objective import PathObjective
from bench_neural.moments import InnerObjective, Moments

ROWS_AT_ONCE = 1 << 13


class Codebook(PathModel):
    """K centroids, each the mean of the vectors that came to it, older ones counting less.

    An item belongs to the node of the least |v - e_k|^2 r_k, r_k = min(1, balance n_k / mean n): nodes that little has
    come to seem nearer. p(k | x) is a softmax of the inner products of an asking user's vector with the
    centroids, and a bias. place int64 (items,): the node of each item, -1 for none yet; sums (K, d) and weights (K,) of
    what came to each.
    """

    place: Tensor
    sums: Tensor
    weights: Tensor

    def __init__(self, dim: int, nodes: int, items: int, keep: float, balance: float) -> None:
        super().__init__(nodes, 1)
        self.keep, self.balance = keep, balance
        self.ask = nn.Linear(dim, dim)
        nn.init.eye_(self.ask.weight)
        nn.init.zeros_(self.ask.bias)
        self.bias = nn.Parameter(torch.zeros(nodes))
        self.register_buffer("place", torch.full((items,), -1))
        self.register_buffer("sums", torch.zeros(nodes, dim))
        self.register_buffer("weights", torch.ones(nodes))

    @property
    def centroids(self) -> Tensor:
        """(K, d)."""
        return self.sums / self.weights.clamp(min=1e-12)[:, None]

    def begun(self, states: Tensor) -> list[Tensor]:
        return [self.ask(states)]

    def logits(self, layer: int, begun: list[Tensor], codes: Tensor) -> Tensor:
        return (begun[0] @ self.centroids.T + self.bias)[:, None]

    def nearest(self, vectors: Tensor) -> Tensor:
        """The node int64 (n,) that each of the vectors (n, d) belongs to."""
        centroids = self.centroids
        near = (self.balance * self.weights / self.weights.mean()).clamp(max=1.0) if self.balance else 1.0
        norms = (centroids**2).sum(1)
        parts = []
        for some in vectors.split(ROWS_AT_ONCE):
            away = (some**2).sum(1, keepdim=True) - 2 * some @ centroids.T + norms  # (n, K)
            parts.append((away.clamp(min=0) * near).argmin(1))
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)

    @torch.no_grad()
    def follow(self, items: Tensor, vectors: Tensor, weights: Tensor) -> None:
        """Items int64 (n,) of a batch, distinct, with their vectors (n, d) and how much each counts, (n,): they go to
        their nodes, and the nodes come after them."""
        nodes = self.nearest(vectors)
        self.place[items] = nodes
        self.sums.mul_(self.keep).index_add_(0, nodes, (1 - self.keep) * weights[:, None] * vectors)
        self.weights.mul_(self.keep).index_add_(0, nodes, (1 - self.keep) * weights)


class StreamingObjective(PathObjective):
    """The loss of a batch by the nodes as they are, which then follow the batch's items.

    frequencies (items,): of each in training; discount: an item that is met f times counts f^(1 - discount) in all, so
    that popular ones do not have the nodes for themselves.
    """

    def __init__(
        self,
        codebook: Codebook,
        inner: InnerObjective,
        generator: torch.Generator,
        moments: int,
        joint: float,
        later: float,
        frequencies: Tensor,
        discount: float,
    ) -> None:
        self.codebook, self.inner, self.generator = codebook, inner, generator
        self.moments, self.joint, self.later = moments, joint, later
        self.worth = frequencies.clamp(min=1) ** -discount

    def likelihood(self, states: Tensor, targets: Tensor) -> Tensor:
        chances = self.codebook.logits(0, self.codebook.begun(states), targets)[:, 0].log_softmax(1)  # (R, K)
        place = self.codebook.place[targets]  # (R, T)
        return chances.gather(1, place.clamp(min=0))[place >= 0]

    def learnt(self, moments: Moments) -> None:
        following = moments.batch.following
        met, times = torch.unique(following[following >= 0], return_counts=True)
        with torch.no_grad():
            self.codebook.follow(met, moments.items(met)[:, :-1], times * self.worth[met])
