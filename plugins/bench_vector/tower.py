"""The two towers as one network, and what it is trained to do."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import Requests
from bench_neural.encoders import ItemBias, ItemEncoder
from bench_neural.losses import binary_cross_entropy, full_softmax, sampled_softmax
from bench_neural.negatives import NegativeSampler, in_batch, owned
from bench_neural.users import UserEncoder
from bench_neural.windows import Batch, expected_targets


class Towers(nn.Module):
    """An item tower and a user tower whose vectors are compared by inner product.

    bias: of the items; their vectors end with it and users' vectors with a 1, so D = d + 1, else D = d. normalise:
    vectors are compared at length 1, so that the inner product is the cosine. The user tower reads the item tower's
    embeddings (N, d), the vectors without bias and length.
    """

    def __init__(self, items: ItemEncoder, users: UserEncoder, bias: ItemBias | None, normalise: bool) -> None:
        super().__init__()
        self.encoder = items
        self.users = users
        self.bias = bias
        self.normalise = normalise

    def items(self, ids: Tensor | None = None) -> Tensor:
        """Vectors (n, D) of `ids` int64 (n,), or of the whole bound catalog, not yet comparable."""
        embeddings = self.encoder(ids)
        if self.bias is None:
            return embeddings
        return torch.cat([embeddings, self.encoder.biases(self.bias, ids)], 1)

    def embeddings(self, items: Tensor) -> Tensor:
        """What the user tower reads, (n, d), of what `items` gave."""
        return items[:, : self.encoder.dim]

    def comparable(self, vectors: Tensor) -> Tensor:
        """Item or user vectors (n, D) as they are compared: what the loss sees, what the index holds."""
        return functional.normalize(vectors, dim=-1) if self.normalise else vectors

    def comparable_users(self, states: Tensor) -> Tensor:
        """Users' vectors (B, D) as they are compared, from the user tower's states (B, d)."""
        return self.comparable(states if self.bias is None else functional.pad(states, (0, 1), value=1.0))

    def requests(self, requests: Requests, items: Tensor) -> Tensor:
        """Comparable vectors (B, D) of requests; items (N, D): what `items` gave for the catalog."""
        return self.comparable_users(self.users.requests(requests, self.embeddings(items)))


@dataclass(frozen=True, slots=True)
class Objective:
    """The loss of one batch of windows.

    kind: full (softmax over all items of `frequency`), sampled (over `negatives` draws of `sampler`), in_batch (over
    the batch's own targets) or bce (target against `negatives` draws). later: as in Windows; frequency: a sampler of
    power 1, that knows how often each item is a target.
    """

    towers: Towers
    kind: str
    temperature: float
    later: float
    negatives: int
    sampler: NegativeSampler
    frequency: NegativeSampler

    def __call__(self, batch: Batch) -> Tensor:
        return self._over_catalog(batch) if self.kind == "full" else self._over_candidates(batch)

    def _over_catalog(self, batch: Batch) -> Tensor:
        items = self.towers.items()  # (N, D)
        states, moments = self._states(batch, batch.history.clamp(min=0), items)
        vectors = self.towers.comparable(items)
        following = functional.embedding(batch.following.clamp(min=0), vectors)  # (B, L + 1, D)
        wanted = expected_targets(following, moments, self.later)[moments]  # (P, D)
        known = functional.embedding(self.frequency.known, vectors)
        return full_softmax(states, known, (states * wanted).sum(1), self.temperature)

    def _over_candidates(self, batch: Batch) -> Tensor:
        targets = batch.targets[batch.moments]  # (P,)
        if self.kind == "in_batch":
            candidates, target_log_q = in_batch(targets, self.frequency), self.frequency.log_q(targets, len(targets))
        else:
            candidates, target_log_q = self.sampler.draw(self.negatives), self.sampler.log_q(targets, self.negatives)
        needed = torch.unique(torch.cat([batch.following[batch.moments], candidates.ids]))  # (n,)
        items = self.towers.items(needed)  # (n, D)
        states, moments = self._states(batch, torch.searchsorted(needed, batch.history), items)
        vectors = self.towers.comparable(items)
        target_vectors = functional.embedding(torch.searchsorted(needed, targets), vectors)  # (P, D)
        target_scores = (states * target_vectors).sum(1)  # (P,)
        scores = states @ functional.embedding(torch.searchsorted(needed, candidates.ids), vectors).T  # (P, S)
        blocked = owned(batch.following, candidates.ids)[moments.nonzero()[:, 0]]  # (P, S)
        if self.kind == "bce":
            return binary_cross_entropy(target_scores, scores, blocked, self.temperature)
        return sampled_softmax(target_scores, scores, target_log_q, candidates.log_q, blocked, self.temperature)

    def _states(self, batch: Batch, history: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Comparable user vectors (P, D) of all moments, and the moments' mask.

        history (B, L): places in `items` (n, D) of the items met.
        """
        met = functional.embedding(history, self.towers.embeddings(items))  # (B, L, d)
        states = self.towers.users.windows(batch, met)  # (B, L + 1, d)
        moments = batch.moments
        return self.towers.comparable_users(states[moments]), moments
