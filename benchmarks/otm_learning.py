"""The data, the scorers and the training rules of otm_regret.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bench_tree.labels import TreeLabels
from bench_tree.tree import Tree

BATCH = 200
WARM = 0.25  # the share of the steps for which otm_plus learns as otm


@dataclass(frozen=True)
class World:
    """The sizes of the paper's experiment."""

    labels: int = 1000
    dim: int = 10
    bias: float = -5.0
    train: int = 10_000
    test: int = 1000
    beam: int = 50


@dataclass(frozen=True)
class Settings:
    """How a method learns.

    averaged: a constant rate and the mean of the second half's weights, instead of a rate that falls to 0 in a straight
    line; own: the number that the method has of its own (the table in otm_regret.py).
    """

    rate: float = 0.1
    epochs: int = 10
    averaged: bool = False
    own: float = 0


@dataclass(frozen=True)
class Data:
    """What the leaves are trained on and judged by, from left to right.

    x, x_test float32 [., dim + 1], the last feature 1; y float32 [train, N]; eta float32 [test, N]: p(y = 1 | x);
    at_zero: the share of positives that the same weights give without a bias.
    """

    tree: Tree
    x: Tensor
    y: Tensor
    x_test: Tensor
    eta: Tensor
    at_zero: float


def drawn(world: World, seed: int) -> Data:
    """The data of one run."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(world.dim, world.labels, generator=generator)
    x = torch.randn(world.train + world.test, world.dim, generator=generator)
    order = torch.randperm(world.labels, generator=generator)  # the labels from leaf to leaf
    logits = (x @ weights)[:, order]
    eta = torch.sigmoid(logits + world.bias)
    chance = torch.rand(world.train, world.labels, generator=generator)
    split = [world.train, world.test]
    x, x_test = torch.split(torch.cat([x, torch.ones(len(x), 1)], 1), split)
    learnt, eta = torch.split(eta, split)
    at_zero = float((chance < torch.sigmoid(logits[: world.train])).float().mean())
    return Data(Tree.of_order(order.numpy()), x, (chance < learnt).float(), x_test, eta, at_zero)


class Learner:
    """One method on one run's data; weights float32 [dim + 1, nodes]."""

    def __init__(self, method: str, settings: Settings, data: Data, beam: int, seed: int) -> None:
        self.method, self.settings, self.data, self.beam = method, settings, data, beam
        self.labels = TreeLabels(data.tree)
        self.positive = self.labels.any_positive(data.y)  # (train, nodes)
        self.generator = torch.Generator().manual_seed(seed + 2**31)  # not the numbers that the data were made of
        self.leaves = self.labels.level(self.labels.height)

    def learn(self) -> Tensor:
        """The weights after all epochs."""
        settings, x = self.settings, self.data.x
        weights = torch.randn(x.shape[1], self.labels.size, generator=self.generator) * 1e-3
        weights.grad, total = torch.zeros_like(weights), torch.zeros_like(weights)
        optimiser = torch.optim.Adam([weights], settings.rate)
        steps = settings.epochs * (len(x) // BATCH)
        averaged = range(steps // 2, steps)
        for step, rows in enumerate(self._batches(steps)):
            scores = x[rows] @ weights  # (B, nodes)
            slope = self.slope(rows, scores, warm=step < WARM * steps)
            weights.grad = x[rows].T @ slope / len(rows)
            if not settings.averaged:
                optimiser.param_groups[0]["lr"] = settings.rate * (1 - step / steps)
            optimiser.step()
            if step in averaged:
                total += weights
        return total / len(averaged) if settings.averaged else weights

    def _batches(self, steps: int) -> Iterator[Tensor]:
        """The rows int64 [B] of each step, without a repeat within an epoch."""
        size = len(self.data.x)
        for step in range(steps):
            begin = step * BATCH % (size // BATCH * BATCH)
            if not begin:
                order = torch.randperm(size, generator=self.generator)
            yield order[begin : begin + BATCH]

    def slope(self, rows: Tensor, scores: Tensor, warm: bool) -> Tensor:
        """The derivative [B, nodes] of the loss, summed over the batch, by the scores [B, nodes]."""
        method, labels, y, positive = self.method, self.labels, self.data.y[rows], self.positive[rows]
        if method == "otm_plus" and not warm:
            return self.survival(y, scores)
        chances = torch.sigmoid(scores)
        if method == "plt":
            return (chances - positive) * labels.children_of_positives(positive)
        any_positive = method in ("tdm", "otm_no_pseudo")
        slope = chances - (positive if any_positive else labels.pseudo_targets(y, scores))
        if method in ("tdm", "otm_no_beam"):
            return slope * self._drawn(positive) if self.settings.own else slope
        beam = int(self.settings.own) if method == "otm_wide" else self.beam
        slope *= labels.beam_nodes(scores, beam, labels.first_level(self.beam))
        if method == "otm_plus":
            slope[:, self.leaves] = chances[:, self.leaves] - y
        return slope

    def _drawn(self, positive: Tensor) -> Tensor:
        """bool [B, nodes]: the positive nodes, and `own` others of each level on average."""
        rates = torch.empty_like(positive)
        for level in range(self.labels.height + 1):
            here = self.labels.level(level)
            rates[:, here] = self.settings.own / (1 - positive[:, here]).sum(1, keepdim=True).clamp(min=1)
        return (positive > 0) | (torch.rand(positive.shape, generator=self.generator) < rates)

    def survival(self, y: Tensor, scores: Tensor) -> Tensor:
        """The slope of otm_plus once it is warm: that of the search's precision, made smooth.

        Leaves learn from all instances, by cross-entropy. Inner nodes learn as otm's for the first quarter of the
        steps; then to let through the beam as many as they can of the positives among the 50 leaves of best score.
        """
        scores = scores.requires_grad_()
        reached = self.labels.survival(scores, self.beam, self.settings.own)  # (B, N)
        best = scores.detach()[:, self.leaves].topk(self.beam).indices
        (slope,) = torch.autograd.grad(-(reached * y).gather(1, best).sum(), scores)
        slope[:, self.leaves] = torch.sigmoid(scores.detach()[:, self.leaves]) - y
        return slope
