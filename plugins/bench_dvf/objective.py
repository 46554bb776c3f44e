"""What DVF's network is trained to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bench_dvf.network import Network
from bench_neural.losses import full_softmax, noise_contrastive, sampled_softmax
from bench_neural.negatives import Candidates, NegativeSampler
from bench_neural.scorers import Asked, InnerProduct, with_one
from bench_neural.windows import Batch, expected_targets

TARGETS = 8  # drawn for a moment that has several
FULL_SOFTMAX_ITEMS = 5_000  # up to here the inner product is contrasted with the whole catalog


@dataclass(frozen=True, slots=True)
class Aims:
    """What is learnt, and how much of it.

    negatives, moments: items drawn for a batch and moments of a window at which the whole score is learnt; joint: the
    share of that loss's gradient that reaches the user and item networks; loss: "softmax" or "nce"; later: as in
    Windows; epsilon: size of the adversarial steps, relative to the mean size of the vectors' numbers; smoothing:
    weight of their loss.
    """

    negatives: int
    moments: int
    joint: float
    loss: str
    later: float
    epsilon: float = 0.0
    smoothing: float = 0.0


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

    def teaching(self, share: float) -> _Moments:
        """The same, through which a share of the gradient is learnt from."""
        parts = (self.vectors, self.states, self.history)
        return _Moments(self.batch, self.ids, *(torch.lerp(part.detach(), part, share) for part in parts))

    def items(self, ids: Tensor) -> Tensor:
        """Vectors (..., d + 1) of some of the items."""
        return functional.embedding(torch.searchsorted(self.ids, ids), self.vectors)


class Objective:
    """The loss of one batch of windows: of the inner product at every moment, and of the whole score at some of them.

    Both contrast the target with items shared by the batch, drawn by frequency^power and evenly, corrected by logQ (the
    inner product's over a catalog of at most 5,000 items is exact), so the work is large matrix products. Where later
    items are targets too, the whole score learns from several of them at each moment, since one is a noisy sample of
    what is asked for. With an inner-product scorer the first loss is all there is. The adversarial task (NANN, CIKM
    2022, section 3.4) moves each item's vector a step along the sign of the loss's gradient (FGSM) and adds the
    Kullback-Leibler divergence between the scores' softmax before and after, so that scores change little from an item
    to its neighbours in the graph.
    """

    def __init__(
        self,
        network: Network,
        counts: NDArray[np.int64],
        sampler: NegativeSampler,
        generator: torch.Generator,
        aims: Aims,
    ) -> None:
        self.network, self.sampler, self.generator, self.aims = network, sampler, generator, aims
        self.known = torch.from_numpy(np.flatnonzero(counts)).to(sampler.device)
        self.full = len(self.known) <= FULL_SOFTMAX_ITEMS and aims.loss == "softmax"
        self.whole = not isinstance(network.scorer, InnerProduct)

    def __call__(self, batch: Batch) -> Tensor:
        drawn = self.sampler.draw(self.aims.negatives)
        if self.full:
            moments = self._read(batch, self.known)
        else:
            met = batch.following[batch.following >= 0]
            moments = self._read(batch, torch.unique(torch.cat([met, drawn.ids])))
        loss = self._inner(moments, None if self.full else drawn)
        if not self.whole:
            return loss
        return loss + self._whole(moments.teaching(self.aims.joint), drawn)

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
            wanted = expected_targets(following, batch.moments, self.aims.later)[batch.moments]  # (P, d + 1)
            return full_softmax(state, moments.vectors, (state * wanted).sum(1))
        scores = (state * moments.items(targets)).sum(1)  # (P,)
        return self._contrast(scores, state @ moments.items(drawn.ids).T, targets, drawn)

    def _whole(self, moments: _Moments, drawn: Candidates) -> Tensor:
        """The loss of the scorer at a few random moments of each window."""
        batch = moments.batch
        order = torch.rand(batch.targets.shape, generator=self.generator).to(batch.targets.device)
        order = order.masked_fill(~batch.moments, -1.0)
        chance, at = order.topk(min(self.aims.moments, order.shape[1]), 1)  # (B, M)
        known = (chance >= 0).flatten()  # (B * M,)
        count = TARGETS if self.aims.later > 0 else 1
        targets = batch.later(at, count, self.aims.later, self.generator).flatten(0, 1)  # (B * M, T)
        targets = torch.where(known[:, None], targets, self.known[0])
        asked = self.network.moments(at, moments.states, moments.history)

        def loss(vectors: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
            """The loss, and all scores (B * M, T + S), for candidates (S, d + 1) and targets (B * M, T, d + 1)."""
            scores = self._scores(asked, vectors, wanted)[known]
            own, others = scores[:, :count].flatten(), scores[:, count:].repeat_interleave(count, 0)
            return self._contrast(own, others, targets[known].flatten(), drawn), scores

        candidates, wanted = moments.items(drawn.ids), moments.items(targets)
        value, scores = loss(candidates, wanted)
        if not self.aims.smoothing:
            return value
        return value + self.aims.smoothing * self._smoothing(value, scores, candidates, wanted, loss)

    def _scores(self, asked: Asked, candidates: Tensor, wanted: Tensor) -> Tensor:
        """Scores (R, T + S) of each row's targets (R, T, d + 1) and the candidates (S, d + 1)."""
        scorer = self.network.scorer
        own = scorer.pairs(asked, scorer.items(wanted))  # (R, T)
        return torch.cat([own, scorer.block(asked, scorer.items(candidates))], 1)

    def _smoothing(
        self,
        value: Tensor,
        scores: Tensor,
        candidates: Tensor,
        wanted: Tensor,
        loss: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    ) -> Tensor:
        """KL(p || p') of the softmax over a row's scores before and after a step against it in every item's vector."""
        steps = torch.autograd.grad(value, [candidates, wanted], retain_graph=True)
        size = self.aims.epsilon * candidates[:, :-1].detach().abs().mean()
        moved = [
            vectors + size * functional.pad(step[..., :-1].sign(), (0, 1))
            for vectors, step in zip((candidates, wanted), steps, strict=True)
        ]
        before, after = scores.log_softmax(1), loss(*moved)[1].log_softmax(1)
        return functional.kl_div(after, before, reduction="batchmean", log_target=True)

    def _contrast(self, scores: Tensor, others: Tensor, targets: Tensor, drawn: Candidates) -> Tensor:
        """The loss of targets' scores (P,) against the drawn candidates' (P, S)."""
        blocked = targets[:, None] == drawn.ids  # (P, S)
        log_q = self.sampler.log_q(targets, self.aims.negatives)
        contrast = sampled_softmax if self.aims.loss == "softmax" else noise_contrastive
        return contrast(scores, others, log_q, drawn.log_q, blocked)
