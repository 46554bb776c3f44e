"""JTM and OTM: the tree learnt by the scorer's own objective, and the scorer by the search's own choices."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench import Context, TrainingData, param
from bench_neural.moments import InnerObjective
from bench_neural.windows import later_share
from bench_tree.beamwise import Beamwise
from bench_tree.learning import TreeLearner
from bench_tree.method import TreeMethod, refuse_hierarchical
from bench_tree.network import Nodes
from bench_tree.objective import Aims, TreeObjective
from bench_tree.tree import Tree


@dataclass
class JTM(TreeMethod):
    """TDM whose tree is learnt by the same objective as its scorer: items go where their moments are most likely.

    Joint Optimization of Tree-based Index and Deep Model for Recommender Systems (JTM, NeurIPS 2019). In turn the
    scorer is trained on the tree, and the items are assigned to its nodes anew by the summed log-likelihood of their
    training moments, some levels at a time, each node keeping its size. The vectors of the inner nodes stay.

    Departures from the paper: those of TDM here, see there, and of bench_tree.learning.
    """

    depth: int = param(4, help="levels of the tree that are assigned at a time", low=1, high=12)
    samples: int = param(
        200_000, help="moments of training windows by which the tree is learnt", low=1, high=1_000_000_000
    )

    order: str = param(
        "levels",
        help="levels: all nodes of a level are assigned before the next; subtrees: each of the first subtrees to its "
        "end before the next, for the same tree at more cost (its moments lie in nearly all windows)",
        choices=("levels", "subtrees"),
    )

    def learner(self, data: TrainingData, context: Context) -> TreeLearner:
        """What assigns the items anew by the scorer as it is."""
        later = later_share(self.later, data.validation.targets)
        parts = self.network_, self.nodes_, self.tree_, self.start(self.tree_.begins), data.interactions, self.loss
        how = self.depth, self.samples, later, self.batch, context, self.order == "subtrees", self.hierarchical
        return TreeLearner(*parts, *how)

    def learnt(self, data: TrainingData, context: Context) -> tuple[Tree, Nodes]:
        self.network_.eval()
        with torch.inference_mode():
            found = self.learner(data, context).learn()
        moved = {} if found.level is None else {"moved below level": found.level}
        context.milestone("tree", **{"log-likelihood before": found.before, "after": found.after, **moved})
        if found.level is None:
            return self.tree_, self.nodes_
        tree = Tree.of_order(found.order, self.branching)
        return tree, self.nodes_.moved(self.network_, tree)


@dataclass
class OTM(JTM):
    """JTM whose last training looks at the nodes that its own search meets, with the targets that make it right.

    Learning Optimal Tree Models under Beam Search (OTM, ICML 2020): the nodes to learn from are those that beam search
    scores, and an inner node is wanted if its child of the largest score is, up from the targets. The rounds before the
    last are JTM's, as in the paper, which begins with JTM's tree; the last goes on from their scorer. Departures: see
    bench_tree.beamwise, and the softmax of TDM here (`loss=bce` is the paper's).
    """

    aware: bool = param(True, help="learn from the nodes that beam search scores; or from nodes drawn evenly")
    pseudo: bool = param(True, help="an inner node is wanted if its best child is; or if any leaf below is a target")
    trained_beam: int = param(50, help="beam of the search whose nodes are learnt from", low=1, high=100_000)

    def __post_init__(self) -> None:
        refuse_hierarchical(self)

    def objective(self, inner: InnerObjective, generator: torch.Generator, aims: Aims, last: bool) -> TreeObjective:
        if not last:
            return super().objective(inner, generator, aims, last)
        parts = self.network_, self.nodes_, self.tree_, inner, generator, aims
        return Beamwise(*parts, self.trained_beam, self.step, self.aware, self.pseudo)
