"""What towers are trained to do."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bench_neural.losses import (
    binary_cross_entropy,
    full_softmax,
    gbce_exponent,
    hinge,
    pairwise_logistic,
    sampled_softmax,
)
from bench_neural.negatives import Candidates, NegativeSampler, StreamingFrequency, in_batch, mixed, owned
from bench_neural.windows import Batch, expected_targets
from bench_vector.hard import HardNegatives
from bench_vector.tower import Towers

MIXED_FROM, MIXED_TO = 0.4, 0.6  # the positive's share of a mixed-up negative


@dataclass(frozen=True, slots=True)
class Aims:
    """What a target is contrasted with, and how.

    loss: softmax, bce, gbce, bpr, hinge or hardest (hinge against the best candidate alone); against: catalog (all
    items, softmax only), drawn (`negatives` items a batch), batch (the batch's own targets) or mixed (both); correction
    of the softmax for how often items come up: logq (Bengio and Senecal 2008), revised (the target itself is not
    corrected, as it is not drawn), streaming (as logq, by a moving estimate; batch only) or none; later: as in Windows;
    margin: of hinge and hardest; calibration: t of gbce; hard: what each hard negative counts where there are some, in
    drawn ones, without a correction; mixed_up: negatives a moment that lie between the target and one of the best
    candidates; moments: of a window that are learnt from, 0 for all.
    """

    loss: str
    against: str
    correction: str
    negatives: int
    later: float
    margin: float
    calibration: float
    hard: float
    mixed_up: int = 0
    moments: int = 0


class Objective:
    """The loss of one batch of windows. sampler: what draws items; frequency: a sampler of power 1, that knows how
    often each item is a target."""

    def __init__(
        self,
        towers: Towers,
        aims: Aims,
        sampler: NegativeSampler,
        frequency: NegativeSampler,
        hard: HardNegatives | None = None,
    ) -> None:
        """hard: further negatives of each user; they and what else the loss remembers are part of the network while it
        is trained, so that a checkpoint holds it."""
        self.towers, self.aims, self.sampler, self.frequency = towers, aims, sampler, frequency
        self.hard = towers.hard = hard
        if aims.correction == "streaming":
            towers.streaming = StreamingFrequency(len(frequency.log_p)).to(frequency.device)

    def __call__(self, batch: Batch) -> Tensor:
        chosen = batch.moments  # (B, L + 1)
        if self.aims.moments:
            at, _ = batch.some(self.aims.moments, self.sampler.generator)
            chosen = chosen & torch.zeros_like(chosen).scatter_(1, at, True)
        if self.aims.against == "catalog":
            return self._over_catalog(batch, chosen)
        return self._over_candidates(batch, chosen)

    def learnt(self) -> None:
        """What training alone needs is forgotten."""
        del self.towers.hard
        if self.aims.correction == "streaming":
            del self.towers.streaming

    def candidates(self, targets: Tensor) -> tuple[Candidates, Tensor]:
        """What the targets int64 (P,) are contrasted with, and by what their own scores are lowered (P,)."""
        aims = self.aims
        own = self.frequency.log_q(targets, len(targets))
        if aims.against == "drawn":
            found, own = self.sampler.draw(aims.negatives), self.sampler.log_q(targets, aims.negatives)
        elif aims.against == "mixed":
            found = mixed(targets, self.frequency, self.sampler, aims.negatives)
            own = torch.logaddexp(own, self.sampler.log_q(targets, aims.negatives))
        else:
            found = in_batch(targets, self.frequency)
        if aims.correction == "streaming":
            streaming = self.towers.streaming
            streaming.meet(found.ids)
            found = Candidates(found.ids, torch.ones_like(found.times), streaming.log_p(found.ids))
            own = streaming.log_p(targets)
        elif aims.correction == "none":
            found = Candidates(found.ids, found.times, -found.times.log())
        return found, own if aims.correction in ("logq", "streaming") else torch.zeros_like(own)

    def contrast(self, scores: Tensor, others: Tensor, own: Tensor, found: Candidates, blocked: Tensor) -> Tensor:
        """The loss of targets' scores (P,) against the candidates' (P, S)."""
        aims, tau = self.aims, self.towers.log_temperature.exp()
        if aims.loss == "softmax":
            return sampled_softmax(scores, others, own, found.log_q, blocked, tau)
        if aims.loss == "hardest":
            others = others.masked_fill(blocked, -torch.inf).amax(1, keepdim=True)
            return hinge(scores, others, others.isfinite(), aims.margin, tau)
        weights = found.times * ~blocked  # (P, S)
        if aims.loss == "bpr":
            return pairwise_logistic(scores, others, weights, tau)
        if aims.loss == "hinge":
            return hinge(scores, others, weights, aims.margin, tau)
        if aims.loss == "bce":
            return binary_cross_entropy(scores, others, weights, tau)
        drawn = int(found.times.sum())
        exponent = gbce_exponent(drawn, len(self.frequency.known), aims.calibration)
        return binary_cross_entropy(scores, others, weights, tau, drawn, exponent)

    def _over_catalog(self, batch: Batch, chosen: Tensor) -> Tensor:
        towers = self.towers
        items = towers.items()
        history = functional.embedding(batch.history.clamp(min=0), items.embeddings)  # (B, L, d)
        asked = towers.windows(batch, history, chosen)  # (P, K, D)
        targets = batch.targets[chosen]  # (P,)
        if towers.interests == 1:
            following = functional.embedding(batch.following.clamp(min=0), items.vectors)  # (B, L + 1, D)
            wanted = expected_targets(following, batch.moments, self.aims.later)[chosen]  # (P, D)
        else:
            wanted = functional.embedding(targets, items.vectors)
        users = towers.focused(asked, wanted)
        known = functional.embedding(self.frequency.known, items.vectors)
        loss = full_softmax(users, known, (users * wanted).sum(1), towers.log_temperature.exp())
        every = torch.arange(len(items.vectors), device=targets.device)
        return loss + towers.further(history, chosen, users, every, items, targets)

    def _over_candidates(self, batch: Batch, chosen: Tensor) -> Tensor:
        towers = self.towers
        targets = batch.targets[chosen]  # (P,)
        found, own = self.candidates(targets)
        hard = None if self.hard is None else self.hard.of(batch)  # (B, H)
        met = [batch.following[batch.moments], found.ids] + ([] if hard is None else [hard[hard >= 0]])
        needed = torch.unique(torch.cat(met))  # (n,)
        items = towers.items(needed)
        history = functional.embedding(torch.searchsorted(needed, batch.history), items.embeddings)  # (B, L, d)
        places = torch.searchsorted(needed, targets)  # (P,)
        wanted = functional.embedding(places, items.vectors)  # (P, D)
        users = towers.focused(towers.windows(batch, history, chosen), wanted)  # (P, D)
        scores = towers.scored((users * wanted).sum(1))  # (P,)
        others = users @ functional.embedding(torch.searchsorted(needed, found.ids), items.vectors).T  # (P, S)
        others = towers.scored(others)
        rows = chosen.nonzero()[:, 0]
        blocked = owned(batch.following, found.ids)[rows]  # (P, S)
        if self.aims.mixed_up:
            between = self.between(scores, others.masked_fill(blocked, -torch.inf))
            others, found = torch.cat([others, between], 1), found.joined(between.shape[1], 1.0)
            blocked = torch.cat([blocked, between.isinf()], 1)
        if hard is not None:
            place = torch.searchsorted(needed, hard).clamp(max=len(needed) - 1)
            harder = towers.scored(torch.bmm(items.vectors[place][rows], users[:, :, None])[:, :, 0])  # (P, H)
            others, blocked = torch.cat([others, harder], 1), torch.cat([blocked, (hard < 0)[rows]], 1)
            found = found.joined(hard.shape[1], self.aims.hard)
        loss = self.contrast(scores, others, own, found, blocked)
        return loss + towers.further(history, chosen, users, needed, items, places)

    def between(self, scores: Tensor, others: Tensor) -> Tensor:
        """Scores (P, M) of mixed-up negatives, a x+ + (1 - a) x- for each of the M best x- of the candidates (P, S).

        a is drawn from [.4, .6]; the inner product is linear, so no vector is made (Embedding-based Product Retrieval
        in Taobao Search, KDD 2021, equations 12 and 13).
        """
        best = others.topk(min(self.aims.mixed_up, others.shape[1]), 1).values  # (P, M)
        share = torch.rand(best.shape, generator=self.sampler.generator).to(best.device)
        share = MIXED_FROM + (MIXED_TO - MIXED_FROM) * share
        return share * scores[:, None] + (1 - share) * best
