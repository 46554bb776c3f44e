"""What DVF's network is trained to do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bench_dvf.network import Network
from bench_neural.losses import full_softmax, sampled_softmax
from bench_neural.negatives import Candidates, NegativeSampler
from bench_neural.scorers import with_one
from bench_neural.windows import Batch, expected_targets

FULL_SOFTMAX_ITEMS = 5_000  # up to here the inner product is contrasted with the whole catalog


@dataclass(frozen=True, slots=True)
class _Moments:
    """A batch as the network sees it.

    vectors (n, d + 1) of the items `ids` int64 (n,), ascending, that it needs; states (B, L + 1, d) of the
    user network; history (B, L, d): item vectors of batch.history.
    """

    batch: Batch
    ids: Tensor
    vectors: Tensor
    states: Tensor
    history: Tensor

    def detached(self) -> _Moments:
        """The same, through which nothing is learnt."""
        return _Moments(self.batch, self.ids, self.vectors.detach(), self.states.detach(), self.history.detach())

    def items(self, ids: Tensor) -> Tensor:
        """Vectors (..., d + 1) of some of the items."""
        return functional.embedding(torch.searchsorted(self.ids, ids), self.vectors)


class Objective:
    """The loss of one batch of windows: of the inner product at every moment, and of the whole score at some of them.

    Both are a softmax over the target and items shared by the batch, drawn by frequency^power and evenly, corrected by
    logQ (the inner product's over a catalog of at most 5,000 items is exact); so the work is large matrix products.
    The whole score's loss trains the scorer alone: user states and item vectors are learnt by the inner product, whose
    every moment teaches more than the few moments that attention can afford (`moments` a window, against a quarter of
    the negatives), and stay as good as a two-tower model's. later: as in Windows.
    """

    def __init__(
        self,
        network: Network,
        counts: NDArray[np.int64],
        sampler: NegativeSampler,
        generator: torch.Generator,
        negatives: int,
        moments: int,
        later: float,
    ) -> None:
        self.network, self.sampler, self.generator = network, sampler, generator
        self.negatives, self.moments, self.later = negatives, moments, later
        self.known = torch.from_numpy(np.flatnonzero(counts)).to(sampler.device)
        self.full = len(self.known) <= FULL_SOFTMAX_ITEMS

    def __call__(self, batch: Batch) -> Tensor:
        some = self.sampler.draw(max(1, self.negatives // 4))
        if self.full:
            moments = self._read(batch, self.known)
            return self._inner(moments, None) + self._whole(moments.detached(), some)
        many = self.sampler.draw(self.negatives)
        met = batch.following[batch.following >= 0]
        moments = self._read(batch, torch.unique(torch.cat([met, many.ids, some.ids])))
        return self._inner(moments, many) + self._whole(moments.detached(), some)

    def _read(self, batch: Batch, ids: Tensor) -> _Moments:
        vectors = self.network.items(ids)  # (n, d + 1)
        place = torch.searchsorted(ids, batch.history.clamp(min=0)).clamp(max=len(ids) - 1)
        history = functional.embedding(place, vectors[:, :-1])  # (B, L, d)
        return _Moments(batch, ids, vectors, self.network.users.windows(batch, history), history)

    def _inner(self, moments: _Moments, drawn: Candidates | None) -> Tensor:
        """The loss of the inner product at every moment, over the drawn items or, without, over all that are known."""
        batch = moments.batch
        state, targets = with_one(moments.states[batch.moments]), batch.targets[batch.moments]  # (P, d + 1), (P,)
        if drawn is None:
            following = moments.items(batch.following.clamp(min=self.known[0]))  # (B, L + 1, d + 1)
            wanted = expected_targets(following, batch.moments, self.later)[batch.moments]  # (P, d + 1)
            return full_softmax(state, moments.vectors, (state * wanted).sum(1))
        scores = (state * moments.items(targets)).sum(1)  # (P,)
        blocked = targets[:, None] == drawn.ids  # (P, S)
        log_q = self.sampler.log_q(targets, self.negatives)
        return sampled_softmax(scores, state @ moments.items(drawn.ids).T, log_q, drawn.log_q, blocked)

    def _whole(self, moments: _Moments, drawn: Candidates) -> Tensor:
        """The loss of the scorer at a few random moments of each window."""
        batch = moments.batch
        order = torch.rand(batch.targets.shape, generator=self.generator).to(batch.targets.device)
        order = order.masked_fill(~batch.moments, -1.0)
        chance, at = order.topk(min(self.moments, order.shape[1]), 1)  # (B, M)
        known = (chance >= 0).flatten()  # (B * M,)
        targets = batch.targets.gather(1, at).flatten()
        targets = torch.where(known, targets, self.known[0])
        asked = self.network.moments(at, moments.states, moments.history)
        scorer = self.network.scorer
        scores = scorer.block(asked, scorer.items(moments.items(drawn.ids)))  # (B * M, S)
        target_scores = scorer.pairs(asked, scorer.items(moments.items(targets))[:, None])[:, 0]  # (B * M,)
        blocked = targets[:, None] == drawn.ids
        log_q = self.sampler.log_q(targets, max(1, self.negatives // 4))
        return sampled_softmax(target_scores[known], scores[known], log_q[known], drawn.log_q, blocked[known])
