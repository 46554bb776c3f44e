"""Beam search down a tree: what it finds, what it counts, and that threads change nothing."""

from typing import Self

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_expit, log_softmax

from bench import Ragged
from bench_tree.descent import inner_levels
from bench_tree.search import Beam, beam_search, widths
from bench_tree.tree import Tree, first_learnt, height_of


class Table:
    """A Scorer that knows the score of every node for every request: scores float32 [B, nodes]."""

    def __init__(self, scores):
        self.scores = scores

    def part(self, start: int, stop: int) -> Self:
        return type(self)(self.scores[start:stop])

    def block(self, start, stop):
        return self.scores[:, start:stop].copy()

    def pairs(self, nodes, counts):
        return np.take_along_axis(self.scores, nodes.astype(np.int64), 1)


def a_tree(size, branching, rng):
    codes = rng.permutation(branching ** height_of(size, branching))[:size]
    return Tree.of_codes(np.arange(size), codes, branching)


def excluded(rng, batch, size):
    return Ragged.from_rows(
        [np.sort(rng.choice(size, rng.integers(0, min(6, size)), replace=False)) for _ in range(batch)]
    )


def best(tree, leaf_scores, k, exclude):
    """Brute force: ids [B, k], -1 pads, by the scores [B, N] of leaves."""
    rows = []
    for scores, barred in zip(leaf_scores, exclude, strict=True):
        order = [at for at in np.argsort(-scores, kind="stable") if tree.items[at] not in barred][:k]
        rows.append(np.pad(tree.items[order], (0, k - len(order)), constant_values=-1))
    return np.array(rows)


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 200),
    branching=st.integers(2, 4),
    k=st.integers(1, 30),
    stride=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_scores_that_are_a_maximum_heap_are_searched_exactly_with_a_beam_of_k(size, branching, k, stride, seed):
    rng = np.random.default_rng(seed)
    tree = a_tree(size, branching, rng)
    scores = np.empty((4, len(tree)), np.float32)
    scores[:, tree.begins[-2] :] = rng.normal(size=(4, size))
    for node in range(int(tree.begins[-2]) - 1, -1, -1):  # each node's score is the largest of its leaves
        scores[:, node] = scores[:, tree.first[node] : tree.first[node + 1]].max(1)
    exclude = excluded(rng, 4, size)
    most = int(exclude.lengths.max())
    answer = beam_search(tree, tree.items, Table(scores), Beam(k + most, stride=stride), k, exclude)
    np.testing.assert_array_equal(answer.ids, best(tree, scores[:, tree.begins[-2] :], k, exclude))


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 200),
    branching=st.integers(2, 4),
    how=st.sampled_from([("own", 1), ("own", 2), ("own", 3), ("sigmoid", 1), ("softmax", 1)]),
    seed=st.integers(0, 1000),
)
def test_a_beam_of_all_leaves_is_brute_force_by_every_rule(size, branching, how, seed):
    rule, stride = how
    rng = np.random.default_rng(seed)
    tree = a_tree(size, branching, rng)
    scores = rng.normal(size=(3, len(tree))).astype(np.float32)
    exclude = excluded(rng, 3, size)
    answer = beam_search(tree, tree.items, Table(scores), Beam(size, rule=rule, stride=stride), 20, exclude)
    leaves = np.arange(tree.begins[-2], tree.begins[-1])
    expected = scores[:, leaves].astype(np.float64)
    if rule != "own":
        expected = np.zeros_like(expected)
        for path in tree.ancestors(leaves).T[1:]:
            siblings = [np.arange(tree.first[parent], tree.first[parent + 1]) for parent in tree.parents[path]]
            for at, (node, family) in enumerate(zip(path, siblings, strict=True)):
                step = log_expit(scores[:, node]) if rule == "sigmoid" else (
                    log_softmax(scores[:, family], axis=1)[:, node - family[0]]
                )  # fmt: skip
                expected[:, at] += step
    np.testing.assert_array_equal(answer.ids, best(tree, expected, 20, exclude))


@pytest.mark.parametrize(("rule", "stride"), [("own", 1), ("own", 2), ("own", 3), ("sigmoid", 1), ("softmax", 1)])
@pytest.mark.parametrize("seed", range(8))
def test_a_narrow_beam_keeps_the_best_of_each_level_by_every_rule(rule, stride, seed):
    rng = np.random.default_rng(seed)
    size, branching, beam = int(rng.integers(60, 400)), int(rng.integers(2, 5)), int(rng.integers(12, 20))
    tree = Tree.of_order(rng.permutation(size), branching)
    scores = rng.normal(size=(1, len(tree))).astype(np.float32)
    answer = beam_search(tree, tree.items, Table(scores), Beam(beam, rule=rule, stride=stride), 5, Ragged.empty(1))
    worth = scores[0].astype(np.float64)
    families = [np.arange(*tree.first[parent : parent + 2]) for parent in range(int(tree.begins[-2]))]
    if rule != "own":
        worth[0] = 0
        for parent, family in enumerate(families):
            own = scores[0, family]
            worth[family] = worth[parent] + (log_expit(own) if rule == "sigmoid" else log_softmax(own))
    levels = range(1 + (tree.height - 1) % stride, tree.height, stride)
    start = next((one for one in levels if tree.sizes[one] > beam), tree.height)
    nodes = np.arange(tree.begins[start], tree.begins[start + 1])
    for level in range(start, tree.height):
        if (tree.height - level) % stride == 0:
            nodes = nodes[np.argsort(-worth[nodes])[:beam]]
        nodes = np.concatenate([families[one] for one in nodes])
    best = nodes[np.argsort(-worth[nodes])[:5]]
    np.testing.assert_array_equal(answer.ids[0], tree.items[best - tree.begins[-2]])


def test_work_counts_the_first_level_wider_than_the_beam_and_twice_the_beam_below():
    tree = Tree.of_order(np.arange(1024))
    scores = np.random.default_rng(0).normal(size=(1, len(tree))).astype(np.float32)

    def work(**settings):
        answer = beam_search(tree, tree.items, Table(scores), Beam(10, **settings), 10, Ragged.empty(1))
        assert (answer.ids >= 0).all()
        return int(answer.work[0])

    assert work() == 16 + 6 * 20  # levels of 16, then 32 .. 1024
    assert work(rule="sigmoid") == 2 + 4 + 8 + 16 + 6 * 20
    assert work(taper=0.5) == 2 + 2 * (1 + 1 + 1 + 1 + 1 + 2 + 3 + 5 + 10)  # 10, then 5, 3, 2, 1
    assert work(stride=2) == 16 + 3 * 40  # levels of 16, then 64, 256, 1024
    assert work(stride=2, taper=0.5) == 4 + 4 * (1 + 1 + 3 + 10)  # a quarter for each two levels, at least a tenth
    assert work(stride=3) == 16 + 2 * 80
    assert work(stride=10) == 1024  # no inner level is left
    with pytest.raises(ValueError, match="every level"):
        work(stride=2, rule="softmax")


def test_a_request_that_excludes_much_is_still_answered_in_full():
    tree = Tree.of_order(np.arange(1024))
    scores = np.random.default_rng(0).normal(size=(2, len(tree))).astype(np.float32)
    exclude = Ragged.from_rows([np.arange(900), []])
    answer = beam_search(tree, tree.items, Table(scores), Beam(10), 100, exclude)
    assert (answer.ids >= 0).all()
    assert set(answer.ids[0]) <= set(range(900, 1024))


@pytest.mark.parametrize("rule", ["own", "sigmoid", "softmax"])
def test_threads_change_nothing(rule):
    rng = np.random.default_rng(1)
    tree = a_tree(700, 3, rng)
    scores = rng.normal(size=(9, len(tree))).astype(np.float32)
    exclude = excluded(rng, 9, 700)
    beam = Beam(20, rule=rule)
    one, other = (beam_search(tree, tree.items, Table(scores), beam, 10, exclude, threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.work, other.work)


@pytest.mark.parametrize("rule", ["own", "sigmoid", "softmax"])
def test_what_others_exclude_changes_nothing(rule):
    """k and what is excluded come near the catalog's size: the search begins where it would for the request alone."""
    rng = np.random.default_rng(1)
    tree = a_tree(220, 2, rng)
    scores = rng.normal(size=(6, len(tree))).astype(np.float32)
    exclude = Ragged.from_rows([np.sort(rng.choice(220, size, replace=False)) for size in (0, 51, 3, 60, 0, 20)])
    beam = Beam(47, 0.7, rule)
    whole = beam_search(tree, tree.items, Table(scores), beam, 160, exclude)
    for row in range(6):
        part = slice(row, row + 1)
        alone = beam_search(tree, tree.items, Table(scores[part]), beam, 160, exclude[part])
        np.testing.assert_array_equal(whole.ids[part], alone.ids)
        np.testing.assert_array_equal(whole.work[part], alone.work)


def test_leaves_without_an_answer_are_passed_over():
    tree = Tree.of_order(np.arange(8))
    items = np.where(tree.items == 3, -1, tree.items).astype(np.int32)
    scores = np.zeros((1, len(tree)), np.float32)
    scores[:, tree.begins[-2] + 3] = 5
    answer = beam_search(tree, items, Table(scores), Beam(8), 8, Ragged.empty(1))
    assert sorted(answer.ids[0].tolist()) == [-1, 0, 1, 2, 4, 5, 6, 7]


@pytest.mark.parametrize(("size", "branching"), [(1100, 2), (3883, 3), (1500, 8)])
@pytest.mark.parametrize(("rule", "stride"), [("own", 1), ("own", 2), ("own", 5), ("softmax", 1)])
def test_as_many_are_answered_as_are_asked_for_whatever_the_shape(size, branching, rule, stride):
    """Few leaves below a node, some of them without an answer, and items that are excluded where the search goes."""
    rng = np.random.default_rng(size)
    tree = Tree.of_order(rng.permutation(size), branching)
    scores = np.tile(scores_of(tree, rng), (3, 1))
    items = np.where(np.arange(size) % 4 == 0, tree.items, -1).astype(np.int32)
    top = np.argsort(-scores[0, tree.begins[-2] :])
    exclude = Ragged.from_rows([[], np.sort(items[top][items[top] >= 0][:50]), []])
    how = {"rule": rule, "start": 2, "stride": stride}
    answer = beam_search(tree, items, Table(scores), Beam(5, 0.5, **how), 200, exclude, share=0.25)
    assert (answer.ids >= 0).all()
    assert not np.isin(answer.ids[1], exclude[1]).any()
    every = beam_search(tree, items, Table(scores), Beam(5, **how), size, exclude, share=0.25)
    assert [(row >= 0).sum() for row in every.ids] == [size // 4 + (size % 4 > 0) - len(row) for row in exclude]


def scores_of(tree, rng):
    """Scores float32 [nodes]: each that of the best leaf below it, and some noise."""
    scores = np.empty(len(tree), np.float32)
    scores[tree.begins[-2] :] = np.sort(rng.normal(size=len(tree.items)))
    for node in range(int(tree.begins[-2]) - 1, -1, -1):
        scores[node] = scores[tree.first[node] : tree.first[node + 1]].max() + rng.normal()
    return scores


def test_the_search_does_not_begin_above_what_was_learnt():
    tree = Tree.of_order(np.arange(64))
    scores = np.zeros((1, len(tree)), np.float32)
    scores[:, 3] = -9.0  # a quarter of the leaves, below a node that nothing taught
    scores[:, tree.begins[-2] :] = np.arange(64)[::-1]
    found = beam_search(tree, tree.items, Table(scores), Beam(2, start=3), 2, Ragged.empty(1))
    assert found.work.tolist() == [8 + 3 * 4]
    assert [first_learnt(tree.begins, asked) for asked in (0, 1, 9)] == [3, 1, 6]
    assert first_learnt(Tree.of_order(np.arange(300), 16).begins, 0) == 1
    assert first_learnt(Tree.of_order(np.arange(3)).begins, 0) == 2


def test_the_beam_narrows_towards_the_root_but_leaves_room_for_k():
    tree = Tree.of_order(np.arange(64))
    kept = widths(tree, inner_levels(tree, 0, 1), Beam(10, 0.5), 8, np.array([0, 40]))
    assert kept[:, 0].tolist() == [1, 1, 2, 3, 5, 10]
    assert kept[:, 1].tolist() == [1, 2, 3, 6, 12, 10]  # 48 leaves lie below 12 nodes; the next looks for itself
