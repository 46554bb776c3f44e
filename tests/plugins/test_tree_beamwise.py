"""Training on what the search meets agrees with the rules over all nodes of a small tree, which have tests by hand."""

import numpy as np
import pytest
import torch

from bench_tree.beamwise import Beamwise
from bench_tree.labels import TreeLabels
from bench_tree.objective import Seekers
from bench_tree.tree import Tree, height_of


class Known(Beamwise):
    """A Beamwise objective whose scores [R, nodes] are given."""

    def __init__(self, tree, beam, table):
        self.tree, self.beam, self.table, self.device = tree, beam, table, torch.device("cpu")
        self.begins = [int(begin) for begin in tree.begins]
        self.first = torch.from_numpy(tree.first.astype(np.int64))
        self.levels = range(TreeLabels(tree).first_level(beam), tree.height + 1)

    def scores(self, asked, nodes):
        return self.table.gather(1, nodes.clamp(min=0))

    def shared_scores(self, asked, nodes):
        return self.table[:, nodes]


@pytest.mark.parametrize(("size", "branching"), [(37, 2), (64, 2), (50, 3)])
def test_pseudo_targets_and_visited_nodes_are_those_of_the_dense_rules(size, branching):
    rng = np.random.default_rng(size)
    tree = Tree.of_codes(np.arange(size), rng.permutation(branching ** height_of(size, branching))[:size], branching)
    rows, beam = 20, 4
    table = torch.from_numpy(rng.normal(size=(rows, len(tree))).astype(np.float32))
    targets = rng.integers(size, size=(rows, 3))
    objective = Known(tree, beam, table)
    path = torch.from_numpy(tree.ancestors(tree.leaves(size)[targets]).astype(np.int64))
    seekers = Seekers(table, path, torch.from_numpy(targets), None)

    labels = TreeLabels(tree)
    y = torch.zeros(rows, size)
    y[np.arange(rows)[:, None], (tree.leaves(size)[targets] - tree.begins[-2]).astype(np.int64)] = 1
    dense = labels.pseudo_targets(y, table)
    wanted = objective.wanted(seekers)
    for level in objective.levels:
        expected = dense.gather(1, path[:, :, level]) > 0
        assert (wanted[:, :, level] == expected).all()

    visited = objective.visited(table)
    met = torch.zeros(rows, len(tree), dtype=torch.bool)
    for level, nodes in visited.items():
        assert ((nodes < 0) | ((nodes >= objective.begins[level]) & (nodes < objective.begins[level + 1]))).all()
        for row, mine in enumerate(nodes):
            met[row, mine[mine >= 0]] = True
    assert (met == labels.beam_nodes(table, beam)).all()
