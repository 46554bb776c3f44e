"""Where items go when a tree is learnt: the sums are those of brute force, and the order of work changes nothing."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import Catalog, Context, Evaluation, Interactions, Ragged, Requests, TrainingData
from bench_tree.jtm import JTM
from bench_tree.learning import TreeLearner

ITEMS, SAMPLES = 60, 400


@pytest.fixture(scope="module", params=[{"loss": "softmax"}, {"loss": "bce", "hierarchical": True, "branching": 3}])
def learner(request):
    """Of a method that has been trained for a moment on a random tree."""
    rng = np.random.default_rng(0)
    history = Ragged.from_rows([np.unique(rng.integers(ITEMS, size=12)) for _ in range(80)])
    data = TrainingData(
        Interactions(history.rows().astype(np.int32), history.values, history),
        Catalog(ITEMS, {}),
        Evaluation(
            Requests(np.arange(5), np.full(5, -1, np.int32), history[:5], Ragged.empty(5)),
            Ragged.from_rows([row[-1:] for row in history[:5]]),
        ),
    )
    context = Context(0, rng, "cpu", 2, Path(), lambda *_: None, logging.getLogger("test"))
    small = {"dim": 8, "length": 8, "behaviours": 4, "blocks": 1, "hidden": 8, "negatives": 16, "batch": 8}
    method = JTM(tree="random", rounds=1, epochs=1, seconds=0.0, **small, **request.param)
    method.train(data, context)
    method.network_.eval()
    parts = method.network_, method.nodes_, method.tree_, 1, data.interactions, method.loss, 2, SAMPLES, 0.0
    return TreeLearner(*parts, method.batch, context, hierarchical=method.hierarchical)


def likelihoods(learner):
    """float64 [items, nodes]: the summed log-likelihood of every inner node at each item's moments; and how many."""
    found, seen = np.zeros((ITEMS, learner.nodes.inner)), 0
    begins = learner.tree.begins
    for targets, asked, moments in learner._moments(np.ones(ITEMS, bool), range(1, learner.tree.height)):
        asked = asked * (learner.tree.height - 1) if len(asked) == 1 else asked
        table = learner.network.scorer.items(learner.nodes.above(learner.network, torch.arange(learner.nodes.inner)))
        for level, one in enumerate(asked, 1):
            some = slice(int(begins[level]), int(begins[level + 1]))
            scores = learner.network.scorer.block(one, table[some])
            scores = torch.nn.functional.logsigmoid(scores) if learner.loss == "bce" else scores
            for row, target in enumerate(targets):
                found[target, some] += scores[row].numpy()
        seen += moments
    return found, seen


@torch.inference_mode()
def test_gains_are_the_summed_likelihoods_of_the_way_down(learner):
    tree = learner.tree
    every, seen = likelihoods(learner)
    now = tree.ancestors(tree.leaves(ITEMS))
    level, depth = 1, 2
    place = (now[:, level] - tree.begins[level]).astype(np.int64)
    gains = learner._gains(place, tree.items, level, depth)
    expected = np.zeros_like(gains)
    for descendant in range(tree.branching**depth):
        below = place * tree.branching**depth + descendant
        for down in range(depth, 0, -1):
            expected[:, descendant] += every[np.arange(ITEMS), below + tree.begins[level + down]] / seen
            below = below // tree.branching
    np.testing.assert_allclose(gains, expected, atol=1e-5)
    own = [every[np.arange(ITEMS), now[:, one]].sum() / seen for one in range(1, tree.height)]
    np.testing.assert_allclose(learner._likelihood_now()[1:], own, atol=1e-4)


@torch.inference_mode()
def test_the_tree_learnt_is_as_likely_as_said_and_likelier_than_before(learner):
    found = learner.learn()
    tree = type(learner.tree).of_order(found.order, learner.tree.branching)
    every, seen = likelihoods(learner)
    for each, said in ((learner.tree, found.before), (tree, found.after)):
        paths = each.ancestors(each.leaves(ITEMS))[:, 1:-1]
        assert np.take_along_axis(every, paths.astype(np.int64), 1).sum() / seen == pytest.approx(said, abs=1e-4)
    assert found.after > found.before


@torch.inference_mode()
def test_subtrees_on_their_own_lead_to_the_same_tree(learner):
    found, apart = learner.learn(), dataclasses.replace(learner, subtrees=True).learn()
    np.testing.assert_array_equal(found.order, apart.order)
    assert apart.before == pytest.approx(found.before, abs=1e-5)
    assert apart.after == pytest.approx(found.after, abs=1e-5)
