"""What trees are trained to do, against the formulas written out for a small tree whose scores are given."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from bench_neural.scorers import Asked, InnerProduct
from bench_tree.objective import Aims, Levelwise, Seekers
from bench_tree.pathwise import Pathwise
from bench_tree.tree import Tree

TREE = Tree.of_codes([0, 1, 2, 3, 4], [0, 1, 3, 4, 5])  # test_tree.py draws it
ROWS = 4


def known(kind, loss, **settings):
    """An objective of this kind whose node vectors are unit vectors, so that a moment's state holds its scores."""
    made = kind.__new__(kind)
    made.tree, made.device, made.begins = TREE, torch.device("cpu"), [int(begin) for begin in TREE.begins]
    made.generator = torch.Generator().manual_seed(0)
    made.levels = range(1, TREE.height + 1)
    made.aims = Aims(moments=1, joint=1.0, loss=loss, later=0.0, first_level=1, level_negatives=(9,))
    made.vectors = lambda nodes: torch.eye(len(TREE))[nodes]
    made.leaves = lambda seekers, drawn: torch.zeros(())
    made.network = type("Network", (), {"scorer": InnerProduct(len(TREE) - 1)})()
    for name, value in settings.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def seekers():
    table = torch.randn(ROWS, len(TREE), generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([[0, 1], [2, 4], [3, 3], [4, 2]])
    path = torch.from_numpy(TREE.ancestors(TREE.leaves(5)[targets.numpy()]).astype(np.int64))
    return Seekers(Asked(table), path, targets, None)


def children(node):
    return list(range(TREE.first[node], TREE.first[node + 1]))


def test_levels_are_told_apart_by_a_softmax_over_each(seekers):
    scores, terms = seekers.asked.state, []
    for level in (1, 2):
        begin, end = TREE.begins[level], TREE.begins[level + 1]
        shares = scores[:, begin:end].log_softmax(1)
        terms.append(-shares.gather(1, seekers.path[:, :, level] - begin).mean())
    torch.testing.assert_close(known(Levelwise, "softmax").seek(seekers, None), sum(terms) / 2)


def test_levels_that_are_drawn_from_contrast_the_ancestor_with_the_draws(seekers):
    made = known(Levelwise, "softmax", draw=lambda level: torch.tensor([[1, 2], [4]][level - 1]))
    scores = seekers.asked.state
    whole = -scores[:, 1:3].log_softmax(1).gather(1, seekers.path[:, :, 1] - 1).mean()
    nodes = seekers.path[:, :, 2]
    others = torch.where(nodes == 4, -torch.inf, scores[:, 4:5].expand(-1, 2))  # an ancestor is not its own negative
    own = scores.gather(1, nodes)
    torch.testing.assert_close(made.seek(seekers, None), (whole + (torch.logaddexp(own, others) - own).mean()) / 2)


def test_hierarchical_softmax_is_the_likelihood_of_the_path(seekers):
    scores, total = seekers.asked.state, 0.0
    for row in range(ROWS):
        for path in seekers.path[row].tolist():
            for parent, child in itertools.pairwise(path):
                shares = scores[row, children(parent)].log_softmax(0)
                total = total - shares[child - children(parent)[0]] / (ROWS * 2)
    torch.testing.assert_close(known(Pathwise, "softmax").seek(seekers, None), total)


def test_label_trees_ask_each_child_of_the_ancestors_once_whether_it_leads_to_a_target(seekers):
    scores, total = seekers.asked.state, 0.0
    for row in range(ROWS):
        met = {node for path in seekers.path[row].tolist() for node in path}
        for parent in (node for node in met if node < TREE.begins[-2]):
            for child in children(parent):
                label = torch.tensor(float(child in met))
                total = total + functional.binary_cross_entropy_with_logits(scores[row, child], label) / ROWS
    torch.testing.assert_close(known(Pathwise, "bce").seek(seekers, None), total)
