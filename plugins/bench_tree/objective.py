"""What the methods with a tree learn: which of a level's nodes lead to a target.

All learn the inner product at every moment of a window, as DVF does, so that trees are compared with it by what they
add and not by their encoders. At a few moments they learn the scores of nodes; a share of that gradient reaches the
user and item networks (`joint`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from bench_neural.losses import binary_cross_entropy, sampled_softmax
from bench_neural.moments import InnerObjective, Moments
from bench_neural.negatives import Candidates
from bench_neural.network import Network
from bench_neural.scorers import Asked
from bench_neural.windows import TARGETS, Batch
from bench_tree.network import Nodes, Raised
from bench_tree.tree import Tree


@dataclass(frozen=True, slots=True)
class Aims:
    """What is learnt, and how much of it.

    moments: of a window, at which nodes are learnt; joint: the share of that gradient that reaches the user and item
    networks; loss: "softmax" (over the nodes of a level) or "bce" (each node on its own); later: as in Windows;
    first_level: the highest that is learnt; level_negatives: nodes drawn a batch on each level, from the one above the
    leaves up, the last number for all above; hierarchical: behaviours are met as their ancestors on the level.
    """

    moments: int
    joint: float
    loss: str
    later: float
    first_level: int
    level_negatives: tuple[int, ...]
    hierarchical: bool = False


@dataclass(frozen=True, slots=True)
class Seekers:
    """R moments that look for T targets each.

    asked: what the scorer computes from them; above: the same by level, where behaviours are met as their ancestors on
    it (`Raised`); path int64 (R, T, height + 1): the nodes from the root to each target;
    targets int64 (R, T): catalog ids; moments: the batch, through which a share of the gradient is learnt from.
    """

    asked: Asked
    path: Tensor
    targets: Tensor
    moments: Moments
    above: dict[int, Asked] = field(default_factory=dict)


class TreeObjective(ABC):
    """The loss of one batch of windows: of the inner product at every moment, and of nodes at some of them."""

    def __init__(
        self,
        network: Network,
        nodes: Nodes,
        tree: Tree,
        inner: InnerObjective,
        generator: torch.Generator,
        aims: Aims,
    ) -> None:
        self.network, self.nodes, self.tree, self.inner = network, nodes, tree, inner
        self.generator, self.aims = generator, aims
        self.device = inner.known.device
        self.begins = [int(begin) for begin in tree.begins]
        self.levels: Sequence[int] = range(max(1, min(aims.first_level, tree.height)), tree.height + 1)
        path = tree.ancestors(tree.leaves(len(network.encoder.seen)))  # of items that have no leaf: never asked for
        self.paths = torch.from_numpy(path).to(self.device)  # (items, height + 1)

    def __call__(self, batch: Batch) -> Tensor:
        drawn = self.inner.sampler.draw(self.inner.negatives)
        moments = self.inner.read(batch, drawn)
        loss = self.inner(moments, drawn)
        at, known = batch.some(self.aims.moments, self.generator)  # (B, M)
        count = TARGETS if self.aims.later > 0 else 1
        targets = batch.later(at, count, self.aims.later, self.generator).flatten(0, 1)  # (B * M, T)
        rows = torch.nonzero(known.flatten())[:, 0]
        taught = moments.teaching(self.aims.joint)
        targets = targets[rows]
        asked = taught.asked(self.network, at).ordered(rows)
        above = {}
        if self.aims.hierarchical:
            raised = Raised(self.network, self.nodes, self.paths)
            levels = self.levels[:-1]
            above = {level: raised.asked(level, at, taught.states, batch.history).ordered(rows) for level in levels}
        return loss + self.seek(Seekers(asked, self.paths[targets].long(), targets, taught, above), drawn)

    @abstractmethod
    def seek(self, seekers: Seekers, drawn: Candidates) -> Tensor:
        """The loss of the nodes that a method looks at; drawn: the batch's negative items."""

    def vectors(self, nodes: Tensor) -> Tensor:
        """The vectors (n, d + 1) of nodes int64 (n,), ascending; the items among them teach the item network by
        `joint`."""
        inner = nodes[nodes < self.begins[-2]]
        leaves = nodes[len(inner) :] - self.begins[-2]
        parts = [self.nodes.above(self.network, inner)]
        if len(leaves):
            items = self.network.items(self.nodes.leaf_items[leaves])
            parts.append(torch.lerp(items.detach(), items, self.aims.joint))
        return torch.cat(parts)

    def draw(self, level: int) -> Tensor:
        """The nodes of a level that the batch shares, ascending and distinct: all, or so many draws."""
        begin, end = self.begins[level], self.begins[level + 1]
        counts = self.aims.level_negatives
        count = counts[min(max(0, self.tree.height - 1 - level), len(counts) - 1)]
        if end - begin <= count:
            return torch.arange(begin, end, device=self.device)
        drawn = torch.randint(begin, end, (count,), generator=self.generator)
        return torch.unique(drawn).to(self.device)

    def leaves(self, seekers: Seekers, drawn: Candidates) -> Tensor:
        """The loss of the targets themselves, against the batch's negative items: as DVF's."""
        scorer, moments = self.network.scorer, seekers.moments
        own = scorer.pairs(seekers.asked, scorer.items(moments.items(seekers.targets)))  # (R, T)
        others = scorer.block(seekers.asked, scorer.items(moments.items(drawn.ids)))  # (R, S)
        count = own.shape[1]
        targets = seekers.targets.flatten()
        others = others.repeat_interleave(count, 0)
        if self.aims.loss == "bce":
            return binary_cross_entropy(own.flatten(), others, targets[:, None] == drawn.ids)
        return self.inner.contrast(own.flatten(), others, targets, drawn)


class Levelwise(TreeObjective):
    """On each level, a target's ancestor against nodes drawn evenly from that level and shared by the batch.

    Learning Tree-based Deep Model for Recommender Systems (TDM, KDD 2018, section 3.2). Small levels are taken whole.
    Leaves are contrasted with the batch's negative items, drawn by frequency^power and evenly and corrected by logQ: as
    DVF's. Departures: `loss=softmax` over the level, where the paper's is `bce`; the inner levels count as much as the
    leaves, all together.
    """

    def seek(self, seekers: Seekers, drawn: Candidates) -> Tensor:
        levels = list(self.levels[:-1])
        loss = self.leaves(seekers, drawn)
        for level in levels if seekers.above else ():
            loss = loss + self._levels(seekers, seekers.above[level], [level]) / len(levels)
        if levels and not seekers.above:
            loss = loss + self._levels(seekers, seekers.asked, levels) / len(levels)
        return loss

    def _levels(self, seekers: Seekers, asked: Asked, levels: list[int]) -> Tensor:
        """The summed loss of some inner levels, whose nodes are scored together."""
        sampled = [self.draw(level) for level in levels]
        whole = [
            len(some) == self.begins[level + 1] - self.begins[level]
            for level, some in zip(levels, sampled, strict=True)
        ]
        own = [seekers.path[:, :, level] for level, all_ in zip(levels, whole, strict=True) if not all_]
        needed, place = torch.unique(torch.cat([*sampled, *(one.flatten() for one in own)]), return_inverse=True)
        scorer = self.network.scorer
        table = scorer.items(self.vectors(needed))  # (n, width)
        count, rows = sum(map(len, sampled)), len(seekers.path)
        shared = scorer.block(asked, functional.embedding(place[:count], table))  # (R, count)
        found: list[Tensor] = []
        if own:
            wanted = place[count:].view(len(own), rows, -1).transpose(0, 1).flatten(1)  # (R, levels * T)
            pairs = scorer.pairs(asked, functional.embedding(wanted, table))
            found = list(pairs.view(rows, len(own), -1).unbind(1))
        total = shared.new_zeros(())
        parts = shared.split([len(some) for some in sampled], 1)
        for level, some, scores, all_ in zip(levels, sampled, parts, whole, strict=True):
            nodes = seekers.path[:, :, level]  # (R, T)
            mine = scores.gather(1, nodes - self.begins[level]) if all_ else found.pop(0)
            total = total + self._contrast(mine, scores, nodes, some)
        return total

    def _contrast(self, own: Tensor, others: Tensor, nodes: Tensor, drawn: Tensor) -> Tensor:
        """The loss of the scores (R, T) of nodes (R, T) against those (R, S) of drawn nodes int64 (S,)."""
        count = own.shape[1]
        blocked = nodes.flatten()[:, None] == drawn  # (R * T, S)
        if self.aims.loss == "bce":
            return binary_cross_entropy(own.flatten(), others.repeat_interleave(count, 0), blocked)
        even = own.new_zeros(len(blocked)), own.new_zeros(len(drawn))
        return sampled_softmax(own.flatten(), others.repeat_interleave(count, 0), *even, blocked)
