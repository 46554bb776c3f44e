"""A batch of windows as the network sees it, and the loss of the inner product at each of its moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bench_neural.losses import full_softmax, noise_contrastive, sampled_softmax
from bench_neural.negatives import Candidates, NegativeSampler
from bench_neural.network import Network
from bench_neural.scorers import Asked, with_one
from bench_neural.windows import Batch, expected_targets

FULL_SOFTMAX_ITEMS = 5_000  # up to here the inner product is contrasted with the whole catalog


@dataclass(frozen=True, slots=True)
class Moments:
    """vectors (n, d + 1) of the items `ids` int64 (n,), ascending, that the batch needs; states (B, L + 1, d) of the
    user network; history (B, L, d): item vectors of batch.history.
    """

    batch: Batch
    ids: Tensor
    vectors: Tensor
    states: Tensor
    history: Tensor

    def teaching(self, share: float) -> Moments:
        """The same, through which a share of the gradient is learnt from."""
        parts = (self.vectors, self.states, self.history)
        return Moments(self.batch, self.ids, *(torch.lerp(part.detach(), part, share) for part in parts))

    def items(self, ids: Tensor) -> Tensor:
        """Vectors (..., d + 1) of some of the items."""
        return functional.embedding(torch.searchsorted(self.ids, ids), self.vectors)

    def asked(self, network: Network, at: Tensor) -> Asked:
        """What the scorer computes at the moments at int64 (B, M), row by row B * M."""
        return network.moments(at, self.states, self.history)


class InnerObjective:
    """The loss of the inner product at every moment of a batch, against items shared by the batch.

    They are drawn by frequency^power and evenly and corrected by logQ; over a catalog of at most 5,000 items the
    softmax is exact. counts int64 [N]: training interactions of the items; negatives: how many are drawn; loss:
    "softmax" or "nce"; later: as in Windows.
    """

    def __init__(
        self,
        network: Network,
        counts: NDArray[np.int64],
        sampler: NegativeSampler,
        negatives: int,
        later: float,
        loss: str = "softmax",
    ) -> None:
        self.network, self.sampler, self.negatives, self.later, self.kind = network, sampler, negatives, later, loss
        self.known = torch.from_numpy(np.flatnonzero(counts)).to(sampler.device)
        self.full = len(self.known) <= FULL_SOFTMAX_ITEMS and loss == "softmax"

    def read(self, batch: Batch, drawn: Candidates) -> Moments:
        """The batch's moments, with the vectors of what it met and of the drawn items, or of all that are known."""
        ids = self.known
        if not self.full:
            ids = torch.unique(torch.cat([batch.following[batch.following >= 0], drawn.ids]))
        vectors = self.network.items(ids)  # (n, d + 1)
        place = torch.searchsorted(ids, batch.history.clamp(min=0)).clamp(max=len(ids) - 1)
        history = functional.embedding(place, vectors[:, :-1])  # (B, L, d)
        return Moments(batch, ids, vectors, self.network.users.windows(batch, history), history)

    def __call__(self, moments: Moments, drawn: Candidates) -> Tensor:
        batch = moments.batch
        state, targets = with_one(moments.states[batch.moments]), batch.targets[batch.moments]  # (P, d + 1), (P,)
        if self.full:
            following = moments.items(batch.following.clamp(min=self.known[0]))  # (B, L + 1, d + 1)
            wanted = expected_targets(following, batch.moments, self.later)[batch.moments]  # (P, d + 1)
            return full_softmax(state, moments.vectors, (state * wanted).sum(1))
        scores = (state * moments.items(targets)).sum(1)  # (P,)
        return self.contrast(scores, state @ moments.items(drawn.ids).T, targets, drawn)

    def contrast(self, scores: Tensor, others: Tensor, targets: Tensor, drawn: Candidates) -> Tensor:
        """The loss of targets' scores (P,) against the drawn candidates' (P, S)."""
        blocked = targets[:, None] == drawn.ids  # (P, S)
        log_q = self.sampler.log_q(targets, self.negatives)
        contrast = sampled_softmax if self.kind == "softmax" else noise_contrastive
        return contrast(scores, others, log_q, drawn.log_q, blocked)
