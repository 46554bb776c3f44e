"""What a network with any scorer is trained to do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bench_neural.moments import InnerObjective, Moments
from bench_neural.negatives import Candidates, NegativeSampler
from bench_neural.network import Network
from bench_neural.scorers import Asked, InnerProduct
from bench_neural.windows import TARGETS, Batch

SMOOTHED = 64  # of the items drawn, that the adversarial task looks at


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


class Objective:
    """The loss of one batch of windows: of the inner product at every moment, and of the whole score at some of them.

    Both contrast the target with items shared by the batch, drawn by frequency^power and evenly, corrected by logQ (the
    inner product's over a catalog of at most 5,000 items is exact), so the work is large matrix products. Where later
    items are targets too, the whole score learns from several of them at each moment, since one is a noisy sample of
    what is asked for. With an inner-product scorer the first loss is all there is. The adversarial task (NANN, CIKM
    2022, section 3.4) moves the item's vector of each pair a step along the sign of the loss's gradient (FGSM): a
    target's against its score, another's with it. It adds the Kullback-Leibler divergence between the scores' softmax
    before and after, so that scores change little from an item to its neighbours in the graph. Departure: of the items
    drawn it takes SMOOTHED, since each has another step in each row.
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
        self.inner = InnerObjective(network, counts, sampler, aims.negatives, aims.later, aims.loss)
        self.whole = not isinstance(network.scorer, InnerProduct)

    def __call__(self, batch: Batch) -> Tensor:
        drawn = self.sampler.draw(self.aims.negatives)
        moments = self.inner.read(batch, drawn)
        loss = self.inner(moments, drawn)
        if not self.whole:
            return loss
        return loss + self._whole(moments.teaching(self.aims.joint), drawn)

    def _whole(self, moments: Moments, drawn: Candidates) -> Tensor:
        """The loss of the scorer at a few random moments of each window."""
        batch, count = moments.batch, TARGETS if self.aims.later > 0 else 1
        at, known = batch.some(self.aims.moments, self.generator)  # (B, M)
        known = known.flatten()  # (B * M,)
        targets = batch.later(at, count, self.aims.later, self.generator).flatten(0, 1)  # (B * M, T)
        targets = torch.where(known[:, None], targets, self.inner.known[0])
        asked = moments.asked(self.network, at)
        candidates, wanted = moments.items(drawn.ids), moments.items(targets)
        scores = self._scores(asked, candidates, wanted)[known]  # (R, T + S)
        own, others = scores[:, :count].flatten(), scores[:, count:].repeat_interleave(count, 0)
        value = self.inner.contrast(own, others, targets[known].flatten(), drawn)
        if not self.aims.smoothing:
            return value
        some = torch.randperm(len(candidates), generator=self.generator)[:SMOOTHED].to(candidates.device)
        return value + self.aims.smoothing * self._smoothing(asked, candidates[some], wanted)[known].mean()

    def _scores(self, asked: Asked, candidates: Tensor, wanted: Tensor) -> Tensor:
        """Scores (R, T + S) of each row's targets (R, T, d + 1) and the candidates (S, d + 1)."""
        scorer = self.network.scorer
        own = scorer.pairs(asked, scorer.items(wanted))  # (R, T)
        return torch.cat([own, scorer.block(asked, scorer.items(candidates))], 1)

    def _smoothing(self, asked: Asked, candidates: Tensor, wanted: Tensor) -> Tensor:
        """KL(p || p') (R,) of the softmax over each row's targets (R, T, d + 1) and the candidates (S, d + 1), before
        and after every pair's own item has moved a step: targets down their score, the others up theirs."""
        scorer = self.network.scorer
        items = torch.cat([wanted, candidates.expand(len(wanted), -1, -1)], 1)  # (R, T + S, d + 1)
        scores = scorer.pairs(asked, scorer.items(items))
        (uphill,) = torch.autograd.grad(scores.sum(), items, retain_graph=True)
        step = self.aims.epsilon * candidates[:, :-1].detach().abs().mean() * uphill.sign()
        step[:, : wanted.shape[1]] *= -1
        step[..., -1] = 0  # the bias stays
        before, after = scores.log_softmax(1), scorer.pairs(asked, scorer.items(items + step)).log_softmax(1)
        return functional.kl_div(after, before, reduction="none", log_target=True).sum(1)
