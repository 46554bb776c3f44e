"""Learning where items lie in a tree from how well each would do below each node (JTM)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bench import Context, Interactions
from bench_neural.network import Network
from bench_neural.scorers import Asked
from bench_neural.windows import Windows
from bench_tree.assignment import assigned
from bench_tree.network import Nodes, Raised
from bench_tree.tree import Tree

MOMENTS = 16  # of a window: what a window's states cost is shared by them


@dataclass(frozen=True, slots=True)
class Learnt:
    """order int32 [N]: the items from left to right; before, after: the mean over moments of the log-likelihood of
    their targets' paths, less what no assignment changes (a softmax's normaliser)."""

    order: NDArray[np.int32]
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class TreeLearner:
    """Joint Optimization of Tree-based Index and Deep Model for Recommender Systems (JTM, NeurIPS 2019, algorithm 2).

    From the root down, `depth` levels at a time, the items of a node are given to its descendants so that the summed
    log-likelihood of their training moments is large and each descendant keeps its size (bench_tree.assignment). Under
    a softmax over a level the normaliser is the same wherever an item lies, and a node's score stands for its
    log-likelihood; on its own (`loss` "bce") that is log sigmoid of the score. Nodes of one level do not touch one
    another: they are assigned in parallel. A leaf has its item's own vector, so what lies below the lowest inner node
    does not matter. Departure: descendants keep the exact sizes of an even tree, where the paper bounds them by
    2^(height - level).

    samples: moments of training windows that are looked at, the same on every level; later: as in Windows;
    hierarchical: behaviours are met as their ancestors on the level.
    """

    network: Network
    nodes: Nodes
    tree: Tree
    loss: str
    depth: int
    samples: int
    later: float
    hierarchical: bool = False

    def learn(self, interactions: Interactions, batch: int, context: Context) -> Learnt:
        """The order of the items by the network as it is; called in eval mode."""
        tree, branching = self.tree, self.tree.branching
        place = np.full(len(self.network.encoder.seen), -1, np.int64)  # of the node, within its level, of each item
        place[tree.items] = 0
        now = tree.ancestors(tree.leaves(len(place))[tree.items])  # (N, height + 1)
        before = after = 0.0
        level = 0
        while level < tree.height - 1:
            depth = min(self.depth, tree.height - 1 - level)
            gains, kept = self._gains(interactions, batch, place, now, level, depth, context)
            wide = branching**depth
            order = np.lexsort((tree.items, place[tree.items]))
            items = tree.items[order]  # grouped by node
            offsets = np.searchsorted(place[items], np.arange(branching**level + 1)).astype(np.int64)
            sizes = np.diff(np.arange(branching ** (level + depth) + 1) * len(items) // branching ** (level + depth))
            current = (now[order, level + depth] - tree.begins[level + depth]) % wide
            within = now[order, level] - tree.begins[level] == place[items]  # still below the node where it was
            chosen = assigned(
                gains[items],
                offsets,
                sizes.reshape(-1, wide).astype(np.int64),
                np.where(within, current, -1).astype(np.int64),
                threads=context.threads,
            )
            before += kept
            after += float(np.take_along_axis(gains[items], chosen[:, None].astype(np.int64), 1).sum())
            place[items] = place[items] * wide + chosen
            level += depth
            context.progress(level, tree.height - 1, f"learning the tree · level {level}")
        order = np.lexsort((tree.items, place[tree.items]))
        return Learnt(tree.items[order].astype(np.int32), before, after)

    def _gains(
        self,
        interactions: Interactions,
        batch: int,
        place: NDArray[np.int64],
        now: NDArray[np.int32],
        level: int,
        depth: int,
        context: Context,
    ) -> tuple[NDArray[np.float32], float]:
        """What each item gains below each descendant, `depth` levels down, of the node `place` of `level`; and what all
        have where they are `now`.

        float32 [items, k^depth]: the log-likelihood of the nodes on the way from `level` down to the descendant, summed
        over the item's moments and divided by the number of all moments.
        """
        tree, branching = self.tree, self.tree.branching
        generator = torch.Generator().manual_seed(context.seed)  # every level looks at the same moments
        windows = Windows(interactions, self.network.users.length, self.later, batch, generator, context.device)
        gains = torch.zeros(len(place), branching**depth, dtype=torch.float64)
        places, paths = torch.from_numpy(place), torch.full((len(place), depth), 1)
        paths[torch.from_numpy(tree.items.astype(np.int64))] = torch.from_numpy(
            now[:, level + 1 : level + depth + 1].astype(np.int64)
        )
        items = self.network.items()[:, :-1]
        ancestors = tree.ancestors(tree.leaves(len(place)))
        raised = Raised(self.network, self.nodes, torch.from_numpy(ancestors).to(items.device))
        seen, kept = 0, 0.0
        for users in windows.order():
            if seen >= self.samples:
                break
            drawn = windows.draw(users)
            at, known = drawn.some(MOMENTS, generator)
            targets = drawn.targets.gather(1, at).flatten()
            rows = torch.nonzero(known.flatten())[:, 0]
            targets = targets[rows]
            history = functional.embedding(drawn.history.clamp(min=0), items)
            states = self.network.users.windows(drawn, history)
            asked = self.network.moments(at, states, history).ordered(rows)
            total = torch.zeros(len(rows), 1)
            for down in range(1, depth + 1):
                if self.hierarchical:
                    asked = raised.asked(level + down, at, states, drawn.history).ordered(rows)
                below = places[targets.cpu()][:, None] * branching**down + torch.arange(branching**down)
                scores = self._likelihood(asked, below + int(tree.begins[level + down]))
                total = total.repeat_interleave(branching, 1) + scores
                kept += float(self._likelihood(asked, paths[targets.cpu()][:, down - 1 : down]).double().sum())
            gains.index_add_(0, targets.cpu(), total.double())
            seen += len(rows)
            context.progress(min(seen, self.samples), self.samples, f"learning the tree · level {level}")
        return (gains / max(1, seen)).float().numpy(), kept / max(1, seen)

    def _likelihood(self, asked: Asked, nodes: Tensor) -> Tensor:
        """The log-likelihood (R, C), but for a normaliser, of each moment's own inner nodes int64 (R, C)."""
        needed, place = torch.unique(nodes, return_inverse=True)
        table = self.network.scorer.items(self.nodes.above(self.network, needed.to(asked.state.device)))
        scores = self.network.scorer.pairs(asked, functional.embedding(place.to(table.device), table)).cpu()
        return functional.logsigmoid(scores) if self.loss == "bce" else scores
