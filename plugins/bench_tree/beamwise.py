"""Training on the nodes that the search itself meets, with the targets that make its choices right."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bench_neural.moments import InnerObjective
from bench_neural.negatives import Candidates
from bench_neural.network import Network
from bench_neural.scorers import Asked
from bench_tree.descent import OWN, Leaves, descend, inner_levels
from bench_tree.network import Nodes
from bench_tree.objective import Aims, Seekers, TreeObjective
from bench_tree.tree import Tree


class Beamwise(TreeObjective):
    """Nodes that beam search visits with the scorer as it is, told apart by whether the best way on leads to a target.

    Learning Optimal Tree Models under Beam Search (OTM, ICML 2020). aware: the nodes of a moment are those that a
    search with `beam` scores, on every `stride`-th level from the first that is learnt on; otherwise, the paper's
    ablation, nodes drawn evenly on each of these levels and the ancestors of the targets. pseudo: an inner node is to
    be found if the node of the largest score below it, on the next of these levels, is (computed from the targets
    upwards; a node that is no target's ancestor is not); otherwise, the other ablation, if any leaf below it is a
    target. The targets of a moment share their ancestors.

    Departure: the leaves are also contrasted with the batch's negative items, as TDM's here, so that leaves which no
    search has visited are ranked as well. `bce` is the paper's, a mean over the nodes of a level; `softmax` contrasts
    the wanted nodes with all that were visited. A moment's targets are some draws of what comes later, as everywhere
    here: other later items are not wanted at it, and are at others.
    """

    def __init__(
        self,
        network: Network,
        nodes: Nodes,
        tree: Tree,
        inner: InnerObjective,
        generator: torch.Generator,
        aims: Aims,
        beam: int,
        stride: int,
        aware: bool,
        pseudo: bool,
    ) -> None:
        super().__init__(network, nodes, tree, inner, generator, aims)
        self.beam, self.stride, self.aware, self.pseudo = beam, stride, aware, pseudo
        self.levels = [*inner_levels(tree, self.levels[0], stride).tolist(), tree.height]
        self.first = torch.from_numpy(tree.first.astype(np.int64)).to(self.device)

    def seek(self, seekers: Seekers, drawn: Candidates) -> Tensor:
        met = self.visited(seekers.asked) if self.aware else self._drawn(seekers)
        with torch.no_grad():
            wanted = self.wanted(seekers) if self.pseudo else torch.ones_like(seekers.path, dtype=torch.bool)
        losses = []
        for level, (nodes, scores) in met.items():  # (R, V)
            path, right = seekers.path[:, None, :, level], wanted[:, None, :, level]  # (R, 1, T)
            labels = ((nodes[:, :, None] == path) & right).any(2)
            losses.append(self._contrast(scores, labels, nodes >= 0))
        return self.leaves(seekers, drawn) + torch.stack(losses).mean()

    def scores(self, asked: Asked, nodes: Tensor) -> Tensor:
        """The scores (R, V) of each moment's own nodes int64 (R, V), of which negative ones are none."""
        needed, place = torch.unique(nodes.clamp(min=1), return_inverse=True)
        table = self.network.scorer.items(self.vectors(needed))
        return self.network.scorer.pairs(asked, functional.embedding(place, table))

    def shared_scores(self, asked: Asked, nodes: Tensor) -> Tensor:
        """The scores (R, V) of the same nodes int64 (V,), ascending, for every moment."""
        return self.network.scorer.block(asked, self.network.scorer.items(self.vectors(nodes)))

    def _contrast(self, scores: Tensor, labels: Tensor, real: Tensor) -> Tensor:
        """The loss of one level: scores, labels (wanted or not) and which are nodes, all (R, V)."""
        if self.aims.loss == "softmax":
            log_shares = scores.masked_fill(~real, -torch.inf).log_softmax(1)
            rows = labels.any(1)
            each = (log_shares.masked_fill(~labels, 0.0).sum(1) / labels.sum(1).clamp(min=1))[rows]
            return -each.sum() / max(1, len(scores))
        each = functional.softplus(torch.where(labels, -scores, scores))
        return (each * real).sum() / real.sum().clamp(min=1)

    def visited(self, asked: Asked) -> dict[int, tuple[Tensor, Tensor]]:
        """Of each level the nodes int64 (R, V) that a search scores, -1 for none, and their scores (R, V)."""
        above = list(self.levels[:-1])
        kept = np.full((len(above), len(asked)), self.beam)
        found, everything, scorer = {}, Leaves.all(self.tree, len(asked)), _NodeScorer(self, asked)
        scored = descend(self.tree, scorer, above, kept, OWN, everything)
        for level, (nodes, _, counts) in zip(self.levels, scored, strict=True):
            real = np.arange(nodes.shape[1]) < counts[:, None]
            there = torch.from_numpy(np.where(real, nodes, -1).astype(np.int64)).to(self.device)
            found[level] = there, scorer.latest
        return found

    def _drawn(self, seekers: Seekers) -> dict[int, tuple[Tensor, Tensor]]:
        """Of each level, nodes drawn evenly for the batch and the targets' ancestors, as `visited` returns them."""
        found = {}
        for level in self.levels:
            some = self.draw(level).expand(len(seekers.path), -1)
            own = seekers.path[:, :, level]
            again = (own[:, :, None] == own[:, None]).tril(-1).any(2)  # an ancestor of several targets comes once
            own = torch.where(again | (own[:, :, None] == some[:, None]).any(2), -1, own)
            nodes = torch.cat([some, own], 1)
            found[level] = nodes, self.scores(seekers.asked, nodes)
        return found

    def wanted(self, seekers: Seekers) -> Tensor:
        """Whether each node of the targets' paths is wanted, bool (R, T, height + 1), on the levels that are learnt
        from: of an inner node, whether the largest score of those below it on the next is (Bayes-optimal under beam
        search, once the scores are right)."""
        path, above = seekers.path, self.levels[:-1]
        wanted = torch.ones_like(path, dtype=torch.bool)
        begin, end = path[:, :, above], path[:, :, above] + 1  # (R, T, levels)
        for _ in range(self.stride):
            begin, end = self.first[begin], self.first[end]
        step = torch.arange(int((end - begin).max()) if end.numel() else 1, device=self.device)
        below = torch.where(step < (end - begin)[..., None], begin[..., None] + step, -1)  # (R, T, levels, most below)
        scores = self.scores(seekers.asked, below.flatten(1)).view(below.shape)
        best = below.gather(-1, scores.masked_fill(below < 0, -torch.inf).argmax(-1, keepdim=True))[..., 0]
        for at in reversed(range(len(above))):
            chosen, later = best[:, :, None, at], path[:, None, :, self.levels[at + 1]]  # (R, T, 1), (R, 1, T)
            wanted[:, :, above[at]] = ((chosen == later) & wanted[:, None, :, self.levels[at + 1]]).any(2)
        return wanted


class _NodeScorer:
    """A bench_index Scorer over the nodes of a tree that is being learnt. latest: what the latest call scored, with
    what its gradient needs."""

    latest: Tensor

    def __init__(self, objective: Beamwise, asked: Asked) -> None:
        self.objective, self.asked = objective, asked

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        nodes = torch.arange(start, stop, device=self.objective.device)
        self.latest = self.objective.shared_scores(self.asked, nodes)
        return self.latest.detach().cpu().numpy()

    def pairs(self, nodes: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        there = torch.from_numpy(nodes.astype(np.int64)).to(self.objective.device)
        self.latest = self.objective.scores(self.asked, there)
        return self.latest.detach().cpu().numpy()
