"""The two towers as one network, and what it is trained to do."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bench import Requests
from bench_neural.encoders import ItemEncoder
from bench_neural.losses import binary_cross_entropy, full_softmax, sampled_softmax
from bench_neural.negatives import Candidates, NegativeSampler, in_batch, owned
from bench_neural.users import UserEncoder
from bench_neural.windows import Batch


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


class Objective:
    """The loss of one batch of windows; kind: full, sampled, in_batch or bce."""

    def __init__(
        self,
        towers: Towers,
        kind: str,
        temperature: float,
        sampler: NegativeSampler,
        negatives: int,
        counts: NDArray[np.int64],
    ) -> None:
        self.towers = towers
        self.kind = kind
        self.temperature = temperature
        self.sampler = sampler
        self.negatives = negatives
        device = sampler.log_p.device
        self.known = torch.from_numpy(np.flatnonzero(counts)).to(device)
        share = torch.from_numpy(counts / max(1, counts.sum()))
        self.log_share = share.clamp(min=1e-12).log().float().to(device)  # (N,)

    def __call__(self, batch: Batch) -> Tensor:
        vectors = self.towers.items()  # (N, d)
        moments = batch.moments
        history = functional.embedding(batch.history.clamp(min=0), vectors)  # (B, L, d)
        states = self.towers.finished(self.towers.users.windows(batch, history)[moments])  # (P, d)
        vectors = self.towers.finished(vectors)
        targets = batch.targets[moments]  # (P,)
        target_scores = (states * functional.embedding(targets, vectors)).sum(1)  # (P,)
        if self.kind == "full":
            return full_softmax(states, vectors[self.known], target_scores, self.temperature)
        candidates, target_log_q = self._candidates(targets)
        scores = states @ vectors[candidates.ids].T  # (P, S)
        row = moments.nonzero()[:, 0]  # (P,)
        blocked = owned(batch.following, candidates.ids)[row]  # (P, S)
        if self.kind == "bce":
            return binary_cross_entropy(target_scores, scores, blocked, self.temperature)
        return sampled_softmax(target_scores, scores, target_log_q, candidates.log_q, blocked, self.temperature)

    def _candidates(self, targets: Tensor) -> tuple[Candidates, Tensor]:
        if self.kind == "in_batch":
            return in_batch(targets, self.log_share), self.log_share[targets] + float(np.log(len(targets)))
        return self.sampler.draw(self.negatives), self.sampler.log_q(targets, self.negatives)
