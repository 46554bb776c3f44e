"""Labels of nodes, the nodes that a beam visits, and what the two are worth when trees are trained by them."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import Ragged
from bench_tree.labels import TreeLabels
from bench_tree.search import Beam, beam_search
from bench_tree.tree import Tree, height_of

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


class Recorder:
    """A Scorer that knows the scores float32 [B, nodes] and notes in seen bool [B, nodes] which ones it gave."""

    def __init__(self, scores):
        self.scores, self.seen = scores, np.zeros(scores.shape, bool)

    def block(self, start, stop):
        self.seen[:, start:stop] = True
        return self.scores[:, start:stop].copy()

    def pairs(self, nodes, counts):
        for seen, row, count in zip(self.seen, nodes, counts, strict=True):
            seen[row[:count]] = True
        return np.take_along_axis(self.scores, nodes.astype(np.int64), 1)


def a_tree(size, branching, rng):
    codes = rng.permutation(branching ** height_of(size, branching))[:size]
    return Tree.of_codes(np.arange(size), codes, branching)


def six_leaves():
    """The root 0, its children 1 (leaves 4 and 5), 2 (leaf 6) and 3 (leaves 7, 8 and 9)."""
    return Tree.of_codes(np.arange(6), np.array([0, 1, 4, 6, 7, 8]), 3)


trees = given(size=st.integers(2, 150), branching=st.integers(2, 4), beam=st.integers(1, 30), seed=st.integers(0, 1000))


def test_a_node_above_a_positive_leaf_is_positive():
    labels = TreeLabels(six_leaves())
    y = torch.tensor([[0.0, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 1], [0, 0, 0, 0, 0, 0]])
    assert labels.any_positive(y)[:, :4].tolist() == [[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0]]
    assert torch.equal(labels.any_positive(y)[:, 4:], y)


def test_a_pseudo_target_is_that_of_the_child_of_the_largest_score():
    labels = TreeLabels(six_leaves())
    y = torch.tensor([[0.0, 1, 0, 1, 0, 1]])
    scores = torch.tensor([[9.0, 2, 3, 1, 5, 4, 0, 7, 8, 6]])  # 1 looks at leaf 4, 3 at leaf 8, the root at 2
    assert labels.pseudo_targets(y, scores).tolist() == [[0, 0, 0, 0, *y[0]]]
    scores[0, [1, 5]] = torch.tensor([4.0, 6.0])  # now 1 looks at leaf 5, which is positive, and the root at 1
    assert labels.pseudo_targets(y, scores).tolist() == [[1, 1, 0, 0, *y[0]]]


def test_a_node_whose_parent_is_above_a_positive_is_trained_by_a_label_tree():
    labels = TreeLabels(six_leaves())
    positive = labels.any_positive(torch.tensor([[0.0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]))
    chosen = labels.children_of_positives(positive)
    assert torch.nonzero(chosen[0])[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert not chosen[1].any()


@settings(max_examples=60, deadline=None)
@trees
def test_beam_nodes_are_what_the_search_scores(size, branching, beam, seed):
    rng = np.random.default_rng(seed)
    tree = a_tree(size, branching, rng)
    scores = rng.normal(size=(3, len(tree))).astype(np.float32)
    scorer = Recorder(scores)
    leaves = np.arange(size, dtype=np.int32)
    answer = beam_search(tree, leaves, scorer, Beam(beam), beam, Ragged.empty(3))
    visited = TreeLabels(tree).beam_nodes(torch.from_numpy(scores), beam)
    np.testing.assert_array_equal(visited.numpy(), scorer.seen)
    np.testing.assert_array_equal(visited.sum(1).numpy(), answer.work)
    reached = torch.from_numpy(scores).masked_fill(~visited, -torch.inf)[:, tree.begins[-2] :]
    best = reached.topk(min(beam, size)).indices
    known = reached.gather(1, best) > -torch.inf
    np.testing.assert_array_equal(torch.where(known, best, -1).numpy(), answer.ids[:, : best.shape[1]])


@settings(max_examples=60, deadline=None)
@trees
def test_labels_agree_with_their_definitions_node_by_node(size, branching, beam, seed):
    rng = np.random.default_rng(seed)
    tree = a_tree(size, branching, rng)
    labels = TreeLabels(tree)
    y, scores = torch.from_numpy(rng.random((2, size)) < 0.2), torch.from_numpy(rng.normal(size=(2, len(tree))))
    positive, pseudo = np.zeros((2, len(tree)), bool), np.zeros((2, len(tree)), bool)
    for row in range(2):
        for node in range(len(tree) - 1, -1, -1):
            if node >= tree.begins[-2]:
                positive[row, node] = pseudo[row, node] = y[row, node - tree.begins[-2]]
                continue
            children = np.arange(tree.first[node], tree.first[node + 1])
            positive[row, node] = positive[row, children].any()
            pseudo[row, node] = pseudo[row, children[scores[row, children].argmax()]]
    np.testing.assert_array_equal(labels.any_positive(y), positive)
    np.testing.assert_array_equal(labels.pseudo_targets(y, scores), pseudo)


@settings(max_examples=40, deadline=None)
@trees
def test_under_a_maximum_heap_the_pseudo_target_is_that_of_the_best_leaf_below(size, branching, beam, seed):
    rng = np.random.default_rng(seed)
    tree = a_tree(size, branching, rng)
    labels = TreeLabels(tree)
    best = torch.from_numpy(rng.normal(size=(2, size)))
    heap = labels.any_positive(best)  # its maximum over leaves is what makes labels of targets
    targets = torch.from_numpy(rng.random((2, size)) < 0.3)
    pseudo = labels.pseudo_targets(targets, heap)
    assert torch.equal(pseudo[:, 0], targets.gather(1, best.argmax(1, keepdim=True))[:, 0])
    truth = best > best.median()  # targets that the scores order without an error
    assert torch.equal(labels.pseudo_targets(truth, heap), labels.any_positive(truth))


@settings(max_examples=40, deadline=None)
@trees
def test_a_cold_survival_is_the_beam_itself(size, branching, beam, seed):
    rng = np.random.default_rng(seed)
    tree = a_tree(size, branching, rng)
    labels = TreeLabels(tree)
    scores = torch.from_numpy(rng.permuted(np.tile(np.arange(len(tree)), (3, 1)), axis=1)).double()
    survival = labels.survival(scores, beam, 0.01)
    reached = labels.beam_nodes(scores, beam)[:, tree.begins[-2] :]
    torch.testing.assert_close(survival, reached.double())


def test_survival_gives_a_node_what_it_takes_from_others_of_the_level():
    tree = Tree.of_order(np.arange(32))
    labels = TreeLabels(tree)
    scores = torch.randn(4, len(tree), generator=torch.Generator().manual_seed(0), dtype=torch.double)
    scores.requires_grad_()
    survival = labels.survival(scores, 5, 0.5)
    assert survival.min() >= 0
    assert survival.max() <= 1
    (slope,) = torch.autograd.grad(survival[:, 3].sum(), scores)
    path = tree.ancestors(tree.begins[-2] + 3)
    for level in (3, 4):  # the first wider than 5, and the one above the leaves
        here = slope[:, labels.level(level)]
        visited = labels.beam_nodes(scores.detach(), 5)[:, labels.level(level)]
        own = visited[:, path[level] - tree.begins[level]]
        torch.testing.assert_close(here.sum(1)[own], torch.zeros(int(own.sum()), dtype=torch.double))
    assert not slope[:, tree.begins[-2] :].any()


@pytest.fixture
def regret(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import otm_regret

    yield otm_regret
    for name in ("otm_regret", "otm_learning"):
        sys.modules.pop(name)


@pytest.mark.parametrize("method", ["plt", "tdm", "otm", "otm_no_beam", "otm_no_pseudo", "otm_wide", "otm_plus"])
def test_the_regret_of_a_small_world_falls_with_training(regret, method):
    world = regret.World(labels=100, dim=4, bias=-2, train=2000, test=200, beam=10)
    regret.CUTS = (1, 10)
    own = 15 if method == "otm_wide" else regret.OWN[method][0]
    one, other = (
        regret.Trial(world, 0, method, regret.Settings(epochs=epochs, own=own)).run()["regrets"] for epochs in (0, 5)
    )
    assert np.all(np.array(other) < 0.5 * np.array(one))
    again = regret.Trial(world, 0, method, regret.Settings(epochs=5, own=own)).run()["regrets"]
    assert again == other


def test_labels_have_the_density_of_the_paper(regret):
    data = regret.drawn(regret.World(train=2000, test=10), 0)
    assert abs(float(data.y.mean()) - 0.0814) < 0.005
    assert abs(data.at_zero - 0.5007) < 0.005
