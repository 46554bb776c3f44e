"""Learning where items lie in a tree from how well each would do below each node (JTM)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bench import Context, Interactions
from bench_index.parallel import in_parts
from bench_neural.network import Network
from bench_neural.pairs import PairScorer
from bench_neural.scorers import Asked
from bench_neural.table import ROWS_AT_ONCE, prepared
from bench_neural.windows import Windows
from bench_tree.assignment import assigned
from bench_tree.network import Nodes, Raised
from bench_tree.tree import Tree

MOMENTS = 16  # of a window: what a window's states cost is shared by them
ROWS = 256  # moments that a thread takes at a time
WIDEST = 256  # descendants of a node between which its items are shared out, unless it has more children


@dataclass(frozen=True, slots=True)
class Learnt:
    """order int32 [N]: the items from left to right; before, after: the mean over moments of the log-likelihood of
    their targets' paths, less what no assignment changes (a softmax's normaliser); level: items have moved between the
    nodes below it, none where the tree is as it was."""

    order: NDArray[np.int32]
    before: float
    after: float
    level: int | None


@dataclass(frozen=True)
class TreeLearner:
    """Joint Optimization of Tree-based Index and Deep Model for Recommender Systems (JTM, NeurIPS 2019, algorithm 2).

    From the root down, `depth` levels at a time, the items of a node are given to its descendants so that the summed
    log-likelihood of their training moments is large and each descendant keeps its size (bench_tree.assignment). Under
    a softmax over a level the normaliser is the same wherever an item lies, and a node's score stands for its
    log-likelihood; on its own (`loss` "bce") that is log sigmoid of the score. Nodes of one level do not touch one
    another: they are assigned in parallel, or, with `subtrees`, what lies below each of the first ones is learnt to the
    end before the next begins. Both ways lead to the same tree. A leaf has its item's own vector, so what lies below
    the lowest inner node does not matter.

    Departures: descendants keep the exact sizes of an even tree, where the paper bounds them by 2^(height - level). And
    what a node's descendants gain is known without what their items lose further below, where the scorer has fit those
    that lie there now: from the root down that can cost more than it gains. So the tree is learnt from `depth` levels
    above the lowest inner nodes down, then from twice as many, and so on up to the root as long as the whole gains; the
    levels above stay as they are, and the likelihood never falls.

    first: the highest level that is learnt: nodes above say nothing; depth: fewer levels at a time where a node would
    have more than WIDEST descendants; samples: moments of training windows that are looked at, the same on every level;
    later: as in Windows; hierarchical: behaviours are met as their ancestors on the level. Called in eval mode, without
    gradients.
    """

    network: Network
    nodes: Nodes
    tree: Tree
    first: int
    interactions: Interactions
    loss: str
    depth: int
    samples: int
    later: float
    batch: int
    context: Context
    subtrees: bool = False
    hierarchical: bool = False

    def learn(self) -> Learnt:
        """The order of the items by the network as it is."""
        tree, items = self.tree, self.tree.items
        last = tree.height - 1
        now = self._likelihood_now()
        order, gain, best = items, 0.0, None
        start = last
        while start > 0:
            start = max(0, start - self._deep)
            place = np.full(self._catalog, -1, np.int64)  # of the node, within its level, of each item
            place[items] = self._paths[items, start] - tree.begins[start]
            gained = self._from(place, start, last) - float(now[start + 1 :].sum())
            if gained <= gain:
                break
            gain, best = gained, start
            order = items[np.lexsort((items, place[items]))].astype(np.int32)
        before = float(now.sum())
        return Learnt(order, before, before + gain, best)

    def _from(self, place: NDArray[np.int64], start: int, last: int) -> float:
        """Assign all items, whose nodes of the level `start` are in `place`, down to the level `last`: writes there.
        What they then have below `start`."""
        items, branching = self.tree.items, self.tree.branching
        first = min(start + self._deep, last) if self.subtrees else last
        after = self._below(place, items, start, first, start)
        if first < last:
            top = place[items]
            for node in range(branching**first):
                self.context.progress(node, branching**first, f"learning the tree · subtrees below level {start}")
                after += self._below(place, items[top == node], first, last, start)
        return after

    def _below(self, place: NDArray[np.int64], items: NDArray[np.int32], level: int, last: int, start: int) -> float:
        """Assign `items`, all of some nodes of `level`, down to the level `last`: writes into `place`. What they have
        then; `start`: where this began."""
        tree, branching = self.tree, self.tree.branching
        after = 0.0
        while level < last:
            depth = min(self._deep, last - level)
            gains = self._gains(place, items, level, depth)
            wide = branching**depth
            order = np.lexsort((items, place[items]))
            mine = items[order]  # grouped by node
            parents, counts = np.unique(place[mine], return_counts=True)
            ends = np.arange(branching ** (level + depth) + 1) * len(tree.items) // branching ** (level + depth)
            sizes = np.diff(ends).reshape(-1, wide)[parents]
            chosen = assigned(
                gains[mine],
                np.concatenate([[0], counts.cumsum()]).astype(np.int64),
                sizes.astype(np.int64),
                self._current(place, mine, level, depth),
                threads=self.context.threads,
            )
            after += float(np.take_along_axis(gains[mine], chosen[:, None], 1).sum(dtype=np.float64))
            place[mine] = place[mine] * wide + chosen
            level += depth
            if len(items) == len(tree.items):
                done = (level - start) / (self.tree.height - 1 - start)
                self.context.progress(done, 1.0, f"learning the tree · below level {start}")
        return after

    def _likelihood_now(self) -> NDArray[np.float64]:
        """float64 [height]: what the nodes of each level add to the log-likelihood in the tree as it is, the mean over
        moments."""
        levels, seen = range(max(1, self.first), self.tree.height), 0
        found = np.zeros(self.tree.height)
        if not levels:
            return found
        everything = np.ones(self._catalog, bool)
        for targets, asked, moments in self._moments(everything, levels):
            seen += moments
            if len(targets):
                nodes = [self._paths[targets, one][:, None] for one in levels]
                found[levels] += [one.sum(dtype=np.float64) for one in self._likelihoods(asked, nodes)]
        return found / max(1, seen)

    @property
    def _catalog(self) -> int:
        """Items of the training catalog."""
        return len(self.network.encoder.seen)

    @property
    def _deep(self) -> int:
        """Levels that are assigned at a time."""
        depth = self.depth
        while depth > 1 and self.tree.branching**depth > WIDEST:
            depth -= 1
        return depth

    def _current(self, place: NDArray[np.int64], items: NDArray[np.int32], level: int, depth: int) -> NDArray[np.int64]:
        """Which descendant of the node `place` of `level` each item lies below in the tree as it is; -1 for none."""
        now, begins = self._paths[items], self.tree.begins
        below = (now[:, level + depth] - begins[level + depth]) % self.tree.branching**depth
        return np.where(now[:, level] - begins[level] == place[items], below, -1).astype(np.int64)

    @cached_property
    def _paths(self) -> NDArray[np.int32]:
        """int32 [catalog, height + 1]: the nodes from the root to each item's leaf in the tree as it is."""
        return self.tree.ancestors(self.tree.leaves(self._catalog))

    @cached_property
    def _vectors(self) -> Tensor:
        """The items' vectors (catalog, d)."""
        return self.network.items()[:, :-1]

    @cached_property
    def _table(self) -> Tensor:
        """The scorer's item side (inner nodes, width) of every inner node."""
        inner = torch.arange(self.nodes.inner, device=self._vectors.device)
        blocks = (self.nodes.above(self.network, some) for some in inner.split(ROWS_AT_ONCE))
        return prepared(self.network.scorer, self.nodes.inner, blocks, False)

    def _gains(self, place: NDArray[np.int64], items: NDArray[np.int32], level: int, depth: int) -> NDArray[np.float32]:
        """What each item gains below each descendant, `depth` levels down, of the node `place` of `level`.

        float32 [catalog, k^depth]: the log-likelihood of the nodes on the way from `level` down to the descendant,
        summed over the item's moments and divided by the number of all moments.
        """
        branching, begins = self.tree.branching, self.tree.begins
        gains = np.zeros((len(place), branching**depth))
        wanted = np.zeros(len(place), bool)
        wanted[items] = True
        seen = 0
        learnt = range(max(level + 1, self.first), level + depth + 1)
        if not learnt:
            return gains.astype(np.float32)
        for targets, asked, moments in self._moments(wanted, learnt):
            seen += moments
            if not len(targets):
                continue
            nodes = []
            for one in learnt:
                below = place[targets][:, None] * branching ** (one - level) + np.arange(branching ** (one - level))
                nodes.append((below + begins[one]).astype(np.int32))
            total = np.zeros((len(targets), branching ** (learnt.start - level - 1)))
            for likelihood in self._likelihoods(asked, nodes):
                total = np.repeat(total, branching, 1) + likelihood
            order = np.argsort(targets, kind="stable")
            one, starts = np.unique(targets[order], return_index=True)
            gains[one] += np.add.reduceat(total[order], starts)
        return (gains / max(1, seen)).astype(np.float32)

    def _moments(
        self, wanted: NDArray[np.bool_], levels: range
    ) -> Iterator[tuple[NDArray[np.int64], list[Asked], int]]:
        """Batches of the moments that are looked at, always the same: the targets int64 [R] of those whose target is
        `wanted`, what the scorer asks with at these, once or for each of `levels`, and the number of all moments."""
        generator = torch.Generator().manual_seed(self.context.seed)
        windows = Windows(
            self.interactions, self.network.users.length, self.later, self.batch, generator, self.context.device
        )
        raised = Raised(self.network, self.nodes, torch.from_numpy(self._paths).to(self._vectors.device))
        mask, seen = torch.from_numpy(wanted), 0
        for users in windows.order():
            if seen >= self.samples:
                break
            drawn = windows.draw(users)
            at, known = drawn.some(MOMENTS, generator)
            moments = int(known.sum())
            seen += moments
            targets = drawn.targets.gather(1, at)
            known = known & mask[targets.cpu().clamp(min=0)].to(known.device)
            count = int(known.sum(1).max())
            if not count:
                yield np.zeros(0, np.int64), [], moments
                continue
            order = torch.argsort(~known, dim=1, stable=True)[:, :count]  # the wanted ones first
            at, known, targets = (part.gather(1, order) for part in (at, known, targets))
            rows = torch.nonzero(known.flatten())[:, 0]
            history = functional.embedding(drawn.history.clamp(min=0), self._vectors)
            states = self.network.users.windows(drawn, history)
            if self.hierarchical:
                each = [raised.asked(level, at, states, drawn.history) for level in levels]
            else:
                each = [self.network.moments(at, states, history)]
            if len(rows) < known.numel():
                each = [one.ordered(rows) for one in each]
            yield targets.flatten()[rows].cpu().numpy(), each, moments

    def _likelihoods(self, asked: list[Asked], nodes: list[NDArray[np.int32]]) -> list[NDArray[np.float32]]:
        """`_likelihood` of the nodes int32 [R, C] of each level, asked for once or level by level."""
        if len(asked) > 1:
            return [self._likelihood(one, some) for one, some in zip(asked, nodes, strict=True)]
        cuts = np.cumsum([some.shape[1] for some in nodes])[:-1]
        return np.split(self._likelihood(asked[0], np.concatenate(nodes, 1)), cuts, 1)

    def _likelihood(self, asked: Asked, nodes: NDArray[np.int32]) -> NDArray[np.float32]:
        """The log-likelihood float32 [R, C], but for a normaliser, of each moment's own inner nodes int32 [R, C]."""
        scorer = PairScorer(self.network.scorer, asked, self._table)
        scores = np.empty(nodes.shape, np.float32)

        def work(lo: int, hi: int) -> None:
            own = np.ascontiguousarray(nodes[lo:hi])
            counts = np.full(hi - lo, nodes.shape[1])
            scores[lo:hi] = scorer.part(lo, hi).pairs(own, counts)[:, : nodes.shape[1]]

        in_parts(len(nodes), ROWS, self.context.threads, work)
        return functional.logsigmoid(torch.from_numpy(scores)).numpy() if self.loss == "bce" else scores
