"""What a path method learns: the inner product that reranks, and at some moments the paths of the targets."""

from __future__ import annotations

import torch
from torch import Tensor

from bench_dr.layers import PathModel
from bench_dr.paths import NONE, Paths
from bench_neural.moments import InnerObjective, Moments
from bench_neural.windows import TARGETS, Batch


class PathObjective:
    """The loss of one batch of windows: the reranker's at every moment, and at `moments` of each window
    - log sum_j p(path j of the target), the mean over some targets (Deep Retrieval, equation 3).

    joint: the share of the paths' gradient that reaches the user and item networks. Items that lie on no path are not
    asked for.
    """

    def __init__(
        self,
        layers: PathModel,
        paths: Paths,
        inner: InnerObjective,
        generator: torch.Generator,
        moments: int,
        joint: float,
        later: float,
    ) -> None:
        self.layers, self.inner, self.generator = layers, inner, generator
        self.moments, self.joint, self.later = moments, joint, later
        device = inner.known.device
        self.codes = torch.from_numpy(paths.codes).to(device)  # (N, J, D)
        self.there = torch.from_numpy(paths.numbers != NONE).to(device)  # (N, J)

    def __call__(self, batch: Batch) -> Tensor:
        drawn = self.inner.sampler.draw(self.inner.negatives)
        moments = self.inner.read(batch, drawn)
        loss = self.inner(moments, drawn)
        at, known = batch.some(self.moments, self.generator)  # (B, M)
        count = TARGETS if self.later > 0 else 1
        targets = batch.later(at, count, self.later, self.generator).flatten(0, 1)  # (B * M, T)
        rows = torch.nonzero(known.flatten())[:, 0]
        states = moments.teaching(self.joint).asked(self.inner.network, at).ordered(rows).state[:, :-1]
        loss = loss - self.likelihood(states, targets[rows]).mean()
        self.learnt(moments)
        return loss

    def learnt(self, moments: Moments) -> None:
        """What follows a batch whose loss has been computed: nothing."""

    def likelihood(self, states: Tensor, targets: Tensor) -> Tensor:
        """log sum_j p(path j) of those of the targets int64 (R, T) that lie on a path, flat; states (R, d)."""
        each = self.codes.shape[1]
        there = self.there[targets]  # (R, T, J)
        chances = self.layers(states, self.codes[targets].flatten(1, 2)).view(*targets.shape, each)
        found = chances.masked_fill(~there, -torch.inf).flatten(0, 1)[there.any(2).flatten()]
        return found.logsumexp(1)
