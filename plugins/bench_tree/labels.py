"""What the nodes of a tree are trained on, for all nodes of a small tree at once.

A batch of B requests has targets on the leaves, y [B, N] from left to right (column i belongs to `tree.items[i]`), and
scores [B, nodes] by node number. From these come the label of every node and which nodes a request trains:

| method | label of a node | nodes that a request trains |
|---|---|---|
| PLT (Jasinska et al., ICML 2016) | `any_positive` | `children_of_positives` |
| TDM (Zhu et al., KDD 2018) | `any_positive` | those above a positive, and negatives of each level |
| OTM (Zhuo et al., "Learning Optimal Tree Models under Beam Search", ICML 2020) | `pseudo_targets` | `beam_nodes` |

`survival` belongs to none of them: how nearly each leaf comes through the beam, as a smooth function of the scores, so
that what the search finds can be raised directly.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bench_tree.tree import Tree


class TreeLabels:
    """The training rules of a tree: its arrays as tensors, made once."""

    def __init__(self, tree: Tree) -> None:
        self.branching, self.height, self.size = tree.branching, tree.height, len(tree)
        self.begins = [int(begin) for begin in tree.begins]
        self.parents = torch.from_numpy(tree.parents.astype(np.int64))  # (nodes,)
        self.first = torch.from_numpy(tree.first.astype(np.int64))  # (inner + 1,)
        last = self.first[1:] - 1
        self.children = [torch.minimum(self.first[:-1] + one, last) for one in range(tree.branching)]  # k of (inner,)

    def level(self, level: int) -> slice:
        """The nodes of a level, as columns of an array over nodes."""
        return slice(self.begins[level], self.begins[level + 1])

    def first_level(self, beam: int) -> int:
        """The level at which beam search begins: the first that is wider than the beam, or the leaves."""
        wider = (level for level in range(self.height + 1) if self.begins[level + 1] - self.begins[level] > beam)
        return next(wider, self.height)

    def any_positive(self, y: Tensor) -> Tensor:
        """[B, nodes], as y: 1 where a positive leaf is below, the largest of the leaves' targets (OTM, eq. (1))."""
        return self._upwards(y, None)

    def pseudo_targets(self, y: Tensor, scores: Tensor) -> Tensor:
        """[B, nodes], as y: a leaf's target, and above the leaves that of the child with the larger score (the first of
        equals), bottom-up: OTM's estimate of the optimal pseudo target, the label of its eq. (13)."""
        return self._upwards(y, scores)

    def _upwards(self, y: Tensor, scores: Tensor | None) -> Tensor:
        """Labels from the leaves to the root: of the child that scores best, or the largest of all children's."""
        labels = y.new_empty(len(y), self.size)
        labels[:, self.level(self.height)] = y
        for level in range(self.height - 1, -1, -1):
            here = self.level(level)
            label = labels[:, self.children[0][here]]  # (B, n_l)
            best = None if scores is None else scores[:, self.children[0][here]]
            for children in self.children[1:]:
                other = labels[:, children[here]]
                if best is None or scores is None:
                    label = torch.maximum(label, other)
                else:
                    score = scores[:, children[here]]
                    label = torch.where(score > best, other, label)
                    best = torch.maximum(score, best)
            labels[:, here] = label
        return labels

    def children_of_positives(self, positive: Tensor) -> Tensor:
        """bool [B, nodes]: the children of nodes that are positive [B, nodes] (`any_positive`); never the root."""
        chosen = positive[:, self.parents] > 0
        chosen[:, 0] = False
        return chosen

    def beam_nodes(self, scores: Tensor, beam: int, start: int | None = None) -> Tensor:
        """bool [B, nodes]: what `beam_search` of that beam scores by the rule "own", if no item is excluded: the first
        level wider than the beam, then the children of the `beam` best of each level (OTM, algorithm 1).

        start: the level to begin at instead. Of nodes with equal scores at the beam's edge any may be kept.
        """
        start = self.first_level(beam) if start is None else start
        visited = torch.zeros(len(scores), self.size + 1, dtype=torch.bool)  # the last column is no node
        visited[:, self.level(start)] = True
        nodes = torch.arange(self.begins[start], self.begins[start + 1]).expand(len(scores), -1)  # (B, C)
        padded = torch.nn.functional.pad(scores.detach(), (0, 1), value=-torch.inf)
        for _ in range(start, self.height):
            kept = padded.gather(1, nodes).topk(min(beam, nodes.shape[1]), 1).indices
            kept = nodes.gather(1, kept)  # (B, beam)
            inner = kept.clamp(max=len(self.first) - 2)
            begin, end = self.first[inner], self.first[inner + 1].masked_fill_(kept == self.size, 0)
            nodes = begin[..., None] + torch.arange(self.branching)  # (B, beam, k)
            nodes = torch.where(nodes < end[..., None], nodes, self.size).flatten(1)
            visited.scatter_(1, nodes, True)
        return visited[:, :-1]

    def survival(self, scores: Tensor, beam: int, temperature: float) -> Tensor:
        """[B, N], as scores: how nearly each leaf is reached by a beam search, between 0 and 1, with a gradient.

        A node is kept with sigmoid((score - edge) / temperature), the edge lying between the last node that the beam
        keeps of its level and the first that it drops, and a leaf is reached if all above it are kept: the product
        along its path, without itself. The edge moves with the scores so that as many nodes as the beam holds are kept
        of those visited: one node gains what others lose, and a number added to all scores of a level changes nothing.
        As the temperature falls, it becomes `beam_nodes` of the leaves.
        """
        visited = self.beam_nodes(scores, beam)
        start, leaves = self.first_level(beam), self.level(self.height)
        if start == self.height:
            return scores.new_ones(len(scores), leaves.stop - leaves.start)
        reached: Tensor | None = None
        for level in range(start, self.height):
            here = self.level(level)
            own, met = scores[:, here], visited[:, here]
            last = own.detach().masked_fill(~met, -torch.inf).topk(beam + 1).values[:, -2:]
            edge = last.mean(1, keepdim=True)  # (B, 1)
            kept = torch.sigmoid((own - edge) / temperature) * met
            slope = (kept * (1 - kept)).detach().sum(1, keepdim=True).clamp(min=1e-3)
            edge = edge + temperature * (kept.sum(1, keepdim=True) - beam) / slope  # Newton's step
            kept = torch.sigmoid((own - edge) / temperature)
            if reached is not None:
                kept = kept * reached[:, self.parents[here] - self.begins[level - 1]]
            reached = kept
        assert reached is not None
        return reached[:, self.parents[leaves] - self.begins[self.height - 1]]
