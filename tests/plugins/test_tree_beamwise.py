"""Training on what the search meets agrees with the rules over all nodes of a small tree, which have tests by hand."""

import numpy as np
import pytest
import torch

from bench_tree.beamwise import Beamwise
from bench_tree.descent import inner_levels
from bench_tree.labels import TreeLabels
from bench_tree.objective import Seekers
from bench_tree.tree import Tree, height_of


class Known(Beamwise):
    """A Beamwise objective whose scores [R, nodes] are given."""

    def __init__(self, tree, beam, table, stride=1, start=None):
        self.tree, self.beam, self.stride, self.table, self.device = tree, beam, stride, table, torch.device("cpu")
        self.begins = [int(begin) for begin in tree.begins]
        self.first = torch.from_numpy(tree.first.astype(np.int64))
        start = TreeLabels(tree).first_level(beam) if start is None else start
        self.levels = [*inner_levels(tree, start, stride).tolist(), tree.height]

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
    for level, (nodes, scores) in visited.items():
        assert torch.equal(scores[nodes >= 0], table.gather(1, nodes.clamp(min=0))[nodes >= 0])
        assert ((nodes < 0) | ((nodes >= objective.begins[level]) & (nodes < objective.begins[level + 1]))).all()
        for row, mine in enumerate(nodes):
            met[row, mine[mine >= 0]] = True
    assert (met == labels.beam_nodes(table, beam)).all()


def test_a_stride_of_two_in_a_binary_tree_is_the_tree_of_four_children():
    """Wanted and visited nodes of every second level are those of the tree in which the levels between are left out."""
    rng = np.random.default_rng(3)
    size, rows, beam = 1024, 12, 3
    binary, wide = (Tree.of_order(np.arange(size), branching) for branching in (2, 4))
    scores = [rng.normal(size=(rows, 4**level)).astype(np.float32) for level in range(6)]
    tables = [torch.zeros(rows, len(tree)) for tree in (binary, wide)]
    for level, some in enumerate(scores):
        for table, tree, at in ((tables[0], binary, 2 * level), (tables[1], wide, level)):
            table[:, int(tree.begins[at]) : int(tree.begins[at + 1])] = torch.from_numpy(some)
    targets = rng.integers(size, size=(rows, 3))
    found = []
    for tree, table, stride in ((binary, tables[0], 2), (wide, tables[1], 1)):
        objective = Known(tree, beam, table, stride, 2 * stride)
        assert len(objective.levels) == 4
        path = torch.from_numpy(tree.ancestors(tree.leaves(size)[targets]).astype(np.int64))
        wanted = objective.wanted(Seekers(table, path, torch.from_numpy(targets), None))[:, :, list(objective.levels)]
        visited = [nodes - int(tree.begins[level]) for level, (nodes, _) in objective.visited(table).items()]
        found.append((wanted, visited))
    assert torch.equal(found[0][0], found[1][0])
    assert not found[0][0].all() and found[0][0][:, :, :-1].any()
    for one, other in zip(found[0][1], found[1][1], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("stride", [2, 3, 8])
def test_by_strides_a_node_of_an_uneven_tree_is_wanted_if_the_best_of_all_below_it_on_the_next_level_is(stride):
    rng = np.random.default_rng(stride)
    size, rows = 37, 12
    tree = Tree.of_codes(np.arange(size), rng.permutation(64)[:size], 2)  # some nodes have one child
    table = torch.from_numpy(rng.normal(size=(rows, len(tree))).astype(np.float32))
    targets = rng.integers(size, size=(rows, 2))
    objective = Known(tree, 4, table, stride, 2)
    path = torch.from_numpy(tree.ancestors(tree.leaves(size)[targets]).astype(np.int64))
    wanted = objective.wanted(Seekers(table, path, torch.from_numpy(targets), None))
    assert objective.levels == {2: [2, 4, 6], 3: [3, 6], 8: [6]}[stride]
    ancestors = tree.ancestors(np.arange(tree.begins[-2], tree.begins[-1]))  # (leaves, levels)
    for row in range(rows):
        good = set(path[row, :, -1].tolist())  # wanted nodes of the level below, from the targets up
        for level, lower in reversed(list(zip(objective.levels, objective.levels[1:], strict=False))):
            here = {}
            for node in path[row, :, level].tolist():
                below = np.unique(ancestors[ancestors[:, level] == node, lower])
                here[node] = int(below[table[row, below].argmax()]) in good
            assert wanted[row, :, level].tolist() == [here[node] for node in path[row, :, level].tolist()]
            good = {node for node, right in here.items() if right}
