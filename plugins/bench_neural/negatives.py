"""Which items a batch is contrasted with, and how often each is expected to be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Candidates:
    """Distinct items shared by a batch: ids int64 (S,), ascending; times (S,): how often each was drawn; log_q (S,):
    what a score is lowered by.

    log_q is log(draws expected / draws made). A candidate that was drawn c times stands for c equal ones, and
    exp(s - log_q) = c exp(s) / expected counts it so.
    """

    ids: Tensor
    times: Tensor
    log_q: Tensor

    @classmethod
    def of(cls, drawn: Tensor, log_expected: Callable[[Tensor], Tensor]) -> Candidates:
        """The distinct ones of `drawn` int64 (R,); log_expected: of ids, how often each is expected among these."""
        ids, times = torch.unique(drawn, return_counts=True)
        return cls(ids, times, log_expected(ids) - times.log())

    def joined(self, count: int, weight: float) -> Candidates:
        """With `count` further ones of each row's own, without an id, that count as `weight` drawn once each."""
        further = self.log_q.new_full((count,), weight)
        return Candidates(self.ids, torch.cat([self.times, further]), torch.cat([self.log_q, -further.log()]))


class NegativeSampler:
    """Draws items with probability uniform / N' + (1 - uniform) f^power / sum f^power, with replacement.

    counts int64 [N]: training interactions an item (f); items without one are never drawn, N' are the others.
    uniform=1 draws evenly, uniform=0 by frequency, between them mixed (Mixed Negative Sampling, WWW 2020).
    """

    def __init__(
        self,
        counts: NDArray[np.int64],
        generator: torch.Generator,
        power: float = 0.75,
        uniform: float = 0.0,
        device: str = "cpu",
    ) -> None:
        frequency = np.where(counts > 0, np.maximum(counts, 1).astype(np.float64) ** power, 0.0)
        known = (counts > 0).astype(np.float64)
        weights = uniform * known / max(known.sum(), 1) + (1 - uniform) * frequency / max(frequency.sum(), 1e-300)
        self.generator = generator
        self.device = device
        self.known = torch.from_numpy(np.flatnonzero(weights)).to(device)  # (N',)
        self._own = torch.from_numpy(weights)
        self.mix(torch.zeros(len(weights)), 0.0)

    def mix(self, weights: Tensor, share: float) -> None:
        """From now on draw a `share` by other weights (N,) and the rest as the sampler was made to.

        Items without a training interaction stay undrawn; weights that sum to zero change nothing.
        """
        others = torch.where(self._own > 0, weights.to("cpu", torch.float64), 0.0)
        p = self._own
        if others.sum() > 0:
            p = (1 - share) * self._own / self._own.sum() + share * others / others.sum()
        self._cumulative = p.cumsum(0)
        self.log_p = (p / p.sum()).log().float().to(self.device)  # (N,), -inf where never drawn

    def draw(self, count: int) -> Candidates:
        """`count` draws, the distinct items among them."""
        draws = torch.rand(count, generator=self.generator, dtype=torch.float64) * self._cumulative[-1]
        drawn = torch.searchsorted(self._cumulative, draws, right=True).clamp(max=len(self._cumulative) - 1)
        return Candidates.of(drawn.to(self.device), lambda ids: self.log_q(ids, count))

    def log_q(self, ids: Tensor, count: int) -> Tensor:
        """log of how often each of `ids` is expected among `count` draws."""
        return self.log_p[ids] + float(np.log(count))


def in_batch(targets: Tensor, frequency: NegativeSampler) -> Candidates:
    """The batch's own targets int64 (P,) as candidates, which came up by their `frequency` (a sampler of power 1).

    Duplicates count as often as they stand there, without being scored twice.
    """
    return Candidates.of(targets, lambda ids: frequency.log_q(ids, len(targets)))


def mixed(targets: Tensor, frequency: NegativeSampler, sampler: NegativeSampler, count: int) -> Candidates:
    """The batch's own targets and `count` draws of `sampler` besides (Mixed Negative Sampling, WWW 2020): items that
    are hardly ever targets come up too. log_q is of both ways in which an item may come."""
    drawn = sampler.draw(count)
    both = torch.cat([targets, drawn.ids.repeat_interleave(drawn.times)])
    return Candidates.of(
        both, lambda ids: torch.logaddexp(frequency.log_q(ids, len(targets)), sampler.log_q(ids, count))
    )


class StreamingFrequency(nn.Module):
    """How likely an item is in a batch, by how many batches lie between its appearances.

    Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations (RecSys 2019), algorithm 2, an entry
    for each item in place of hashes: B <- (1 - rate) B + rate (t - A), A <- t; the probability is 1 / B. Where counts
    are at hand they say the same; this follows a stream whose popularities move. `start` batches are between two
    appearances before anything was met. The state is part of the weights, so a resumed training goes on with it.
    """

    last: Tensor
    gaps: Tensor
    now: Tensor

    def __init__(self, items: int, rate: float = 0.01, start: float = 100.0) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("last", torch.zeros(items))
        self.register_buffer("gaps", torch.full((items,), start))
        self.register_buffer("now", torch.zeros(()))

    def meet(self, ids: Tensor) -> None:
        """A batch with the distinct items int64 (n,)."""
        self.now += 1
        self.gaps[ids] += self.rate * (self.now - self.last[ids] - self.gaps[ids])
        self.last[ids] = self.now

    def log_p(self, ids: Tensor) -> Tensor:
        """log of how likely each of `ids` is in a batch, at most 0."""
        return -self.gaps[ids].clamp(min=1.0).log()


def owned(following: Tensor, candidates: Tensor) -> Tensor:
    """Which candidates are in a row's own window, and so no negatives there.

    following int64 (B, L), -1 pads; candidates int64 (S,), ascending -> bool (B, S).
    """
    place = torch.searchsorted(candidates, following).clamp(max=len(candidates) - 1)  # (B, L)
    found = candidates[place] == following
    mine = torch.zeros(len(following), len(candidates) + 1, dtype=torch.bool, device=candidates.device)
    mine.scatter_(1, torch.where(found, place, len(candidates)), True)
    return mine[:, :-1]
