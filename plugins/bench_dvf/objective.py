"""What DVF's network is trained to do."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bench_dvf.network import Network
from bench_neural.losses import full_softmax, sampled_softmax
from bench_neural.negatives import NegativeSampler
from bench_neural.windows import Batch

FULL_SOFTMAX_ITEMS = 5_000  # up to here the inner product is contrasted with the whole catalog


class Objective:
    """The loss of one batch of windows: of the inner product at every moment, and of the whole score at some of them.

    Both are a softmax over the target and items shared by the batch, drawn by frequency^power and evenly, corrected by
    logQ; so the work is large matrix products. Attention costs as much a pair as all else together, so the whole score
    is learnt at `moments` random moments a window and against `negatives` // 4 items.
    """

    def __init__(
        self,
        network: Network,
        counts: NDArray[np.int64],
        sampler: NegativeSampler,
        generator: torch.Generator,
        negatives: int,
        moments: int,
    ) -> None:
        self.network, self.sampler, self.generator = network, sampler, generator
        self.negatives, self.moments = negatives, moments
        known = np.flatnonzero(counts)
        self.known = torch.from_numpy(known).to(sampler.device) if len(known) <= FULL_SOFTMAX_ITEMS else None

    def __call__(self, batch: Batch) -> Tensor:
        items = self.network.items()  # (N, d)
        history = functional.embedding(batch.history.clamp(min=0), items)  # (B, L, d)
        states = self.network.users.windows(batch, history)  # (B, L + 1, d)
        return self._inner(batch, states, items) + self._whole(batch, states, history, items)

    def _inner(self, batch: Batch, states: Tensor, items: Tensor) -> Tensor:
        """The loss of the inner product at every moment."""
        state, targets = states[batch.moments], batch.targets[batch.moments]  # (P, d), (P,)
        scores = (state * functional.embedding(targets, items)).sum(1)  # (P,)
        if self.known is not None:
            return full_softmax(state, items[self.known], scores)
        drawn = self.sampler.draw(self.negatives)
        blocked = targets[:, None] == drawn.ids  # (P, S)
        log_q = self.sampler.log_q(targets, self.negatives)
        return sampled_softmax(scores, state @ items[drawn.ids].T, log_q, drawn.log_q, blocked)

    def _whole(self, batch: Batch, states: Tensor, history: Tensor, items: Tensor) -> Tensor:
        """The loss of the scorer at a few random moments of each window."""
        order = torch.rand(batch.targets.shape, generator=self.generator).to(states.device)
        order = order.masked_fill(~batch.moments, -1.0)
        drawn, at = order.topk(min(self.moments, order.shape[1]), 1)  # (B, M)
        asked = self.network.moments(batch, at, states, history)  # B * M rows
        known = (drawn >= 0).flatten()
        targets = batch.targets.gather(1, at).flatten().clamp(min=0)  # (B * M,)
        count = max(1, self.negatives // 4)
        candidates = self.sampler.draw(count)
        scorer = self.network.scorer
        scores = scorer.block(asked, scorer.items(items[candidates.ids]))  # (B * M, S)
        target_items = scorer.items(functional.embedding(targets, items))[:, None]  # (B * M, 1, width)
        target_scores = scorer.pairs(asked, target_items)[:, 0]
        blocked = targets[:, None] == candidates.ids
        log_q = self.sampler.log_q(targets, count)
        return sampled_softmax(target_scores[known], scores[known], log_q[known], candidates.log_q, blocked[known])
