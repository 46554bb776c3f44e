"""The two towers as one network, and what it is trained to do."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import Requests
from bench_neural.encoders import ItemEncoder
from bench_neural.losses import binary_cross_entropy, full_softmax, sampled_softmax
from bench_neural.negatives import NegativeSampler, in_batch, owned
from bench_neural.users import UserEncoder
from bench_neural.windows import Batch, expected_targets


class Towers(nn.Module):
    """An item tower (N, d) and a user tower (B, d), compared by inner product, or by cosine where `normalise`.

    The user tower reads the item tower's vectors before they are normalised.
    """

    def __init__(self, items: ItemEncoder, users: UserEncoder, normalise: bool) -> None:
        super().__init__()
        self.items = items
        self.users = users
        self.normalise = normalise

    def finished(self, vectors: Tensor) -> Tensor:
        """Vectors as they are compared: what the loss sees and what the index holds."""
        return functional.normalize(vectors, dim=-1) if self.normalise else vectors

    def requests(self, requests: Requests, items: Tensor) -> Tensor:
        """Comparable user vectors (B, d); items (N, d): the item tower's vectors of the catalog, unfinished."""
        return self.finished(self.users.requests(requests, items))


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
        vectors = self.towers.items()  # (N, d)
        states, moments = self._states(batch, batch.history.clamp(min=0), vectors)
        vectors = self.towers.finished(vectors)
        following = functional.embedding(batch.following.clamp(min=0), vectors)  # (B, L + 1, d)
        wanted = expected_targets(following, moments, self.later)[moments]  # (P, d)
        known = functional.embedding(self.frequency.known, vectors)
        return full_softmax(states, known, (states * wanted).sum(1), self.temperature)

    def _over_candidates(self, batch: Batch) -> Tensor:
        targets = batch.targets[batch.moments]  # (P,)
        if self.kind == "in_batch":
            candidates, target_log_q = in_batch(targets, self.frequency), self.frequency.log_q(targets, len(targets))
        else:
            candidates, target_log_q = self.sampler.draw(self.negatives), self.sampler.log_q(targets, self.negatives)
        needed = torch.unique(torch.cat([batch.following[batch.moments], candidates.ids]))  # (n,)
        vectors = self.towers.items(needed)  # (n, d)
        states, moments = self._states(batch, torch.searchsorted(needed, batch.history), vectors)
        vectors = self.towers.finished(vectors)
        target_vectors = functional.embedding(torch.searchsorted(needed, targets), vectors)  # (P, d)
        target_scores = (states * target_vectors).sum(1)  # (P,)
        scores = states @ functional.embedding(torch.searchsorted(needed, candidates.ids), vectors).T  # (P, S)
        blocked = owned(batch.following, candidates.ids)[moments.nonzero()[:, 0]]  # (P, S)
        if self.kind == "bce":
            return binary_cross_entropy(target_scores, scores, blocked, self.temperature)
        return sampled_softmax(target_scores, scores, target_log_q, candidates.log_q, blocked, self.temperature)

    def _states(self, batch: Batch, history: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Comparable user vectors (P, d) of all moments; history (B, L): places in `vectors`; and the moments' mask."""
        states = self.towers.users.windows(batch, functional.embedding(history, vectors))  # (B, L + 1, d)
        moments = batch.moments
        return self.towers.finished(states[moments]), moments
