"""TDM: a tree over the items, learnt in turn with the scorer of its nodes."""

from __future__ import annotations

from dataclasses import dataclass

from bench import Context, TrainingData
from bench_tree.method import TreeMethod
from bench_tree.network import Nodes
from bench_tree.tree import Tree


@dataclass
class TDM(TreeMethod):
    """A deep scorer on every node of a tree of the items: beam search from the root finds the best leaves.

    Learning Tree-based Deep Model for Recommender Systems (TDM, KDD 2018). A target's ancestor is contrasted on each
    level with nodes drawn from that level. The tree is built anew, from balanced 2-means of the learnt item vectors,
    before each further round.

    Departures from the paper. Users are encoded and items described as in DVF, whose scorers compare a request with a
    node; the inner product with items is learnt at every moment of a window, the nodes at a few. A softmax over the
    level's drawn nodes stands in place of a binary loss (`loss=bce`). The first tree is of vectors that a round without
    a tree has learnt; the paper's is `tree=category`. Rounds share the epochs, and go on from what was learnt: an inner
    node begins as the mean of the items below. The beam narrows towards the root (`taper`), and of a binary tree
    every second level is searched (`stride`): the 4 w grandchildren of w nodes cost what the 2 w children on each of
    two levels do, and none is lost between.
    """

    def learnt(self, data: TrainingData, context: Context) -> tuple[Tree, Nodes]:
        return self.clustered(context)
