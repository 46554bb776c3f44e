"""Trees whose nodes have conditional probabilities: the older ways, which OTM's paper compares with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench import Context, ParameterError, Requests, TrainingData, hookimpl, param
from bench_neural.execution import use_threads
from bench_neural.moments import InnerObjective
from bench_neural.pairs import PairScorer
from bench_tree.descent import descend_all
from bench_tree.method import TreeMethod, refuse_hierarchical
from bench_tree.network import Nodes
from bench_tree.objective import Aims, TreeObjective
from bench_tree.pathwise import Pathwise
from bench_tree.serving import Index
from bench_tree.tree import Tree


@dataclass
class LabelTree(TreeMethod):
    """Nodes with the probability that they lead on, given that their parent does; paths are ordered by the product."""

    stride: int = param(1, help="1: a path's probability is a product over all its levels", high=1, low=1)

    # scores float32 [B, leaves] of the latest requests over an index: `score` is called for one block of items after
    # another, and a leaf's probability takes all the nodes above
    whole_: tuple[Requests, Index, NDArray[np.float32]] | None = field(init=False, repr=False, default=None)

    def objective(self, inner: InnerObjective, generator: torch.Generator, aims: Aims, last: bool) -> TreeObjective:
        return Pathwise(self.network_, self.nodes_, self.tree_, inner, generator, aims)

    def __post_init__(self) -> None:
        refuse_hierarchical(self)
        for name in ("first_level", "level_negatives"):
            if getattr(self, name) != type(self).__dataclass_fields__[name].default:
                raise ParameterError(
                    f"{name} is not for plt and hsm: a path's probability begins at the root, and a node learns from "
                    "its parent's other children; leave it out"
                )

    def start(self, begins: NDArray[np.int64]) -> int:
        return 1  # probabilities are products from the root on

    def learnt(self, data: TrainingData, context: Context) -> tuple[Tree, Nodes]:
        return self.clustered(context)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:
        use_threads(context.threads)
        index = self.index_
        if self.whole_ is None or self.whole_[0] is not requests or self.whole_[1] is not index:
            with torch.inference_mode():
                asked = self.network_.requests(requests, index.vectors)
                scorer = PairScorer(self.network_.scorer, asked, index.table)
                self.whole_ = requests, index, descend_all(index.levels, scorer, self.rule)
        leaves = self.whole_[2]
        place = np.full(len(index.vectors), -1, np.int64)
        place[index.levels.items] = np.arange(leaves.shape[1])
        return np.where(place[items] >= 0, leaves[:, place[items]], np.float32(-np.inf))


@dataclass
class PLT(LabelTree):
    """A probabilistic label tree: each child of a node on its own, by a sigmoid.

    Extreme F-measure Maximization using Sparse Probability Estimates (ICML 2016), as the baseline of OTM (ICML 2020).
    Departures: the scorer, the encoders and the trees are those of TDM here; see there.
    """

    rule: ClassVar[str] = "sigmoid"
    loss: str = param("bce", help="bce: a child leads to a target or not", choices=("bce",))


@dataclass
class HSM(LabelTree):
    """Hierarchical softmax: one of a node's children leads on, by a softmax over siblings.

    Hierarchical Probabilistic Neural Network Language Model (AISTATS 2005), as a baseline of OTM (ICML 2020).
    Departures: the scorer, the encoders and the trees are those of TDM here; see there.
    """

    rule: ClassVar[str] = "softmax"
    loss: str = param("softmax", help="softmax: over siblings", choices=("softmax",))
