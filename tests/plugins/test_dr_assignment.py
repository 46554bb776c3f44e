"""Scores of paths and coordinate descent: worked by hand, against brute force, and what always holds."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_dr import assignment
from bench_dr.assignment import Scores, Sums, assigned
from bench_dr.paths import NONE


def of(paths, scores, counts):
    return Scores(np.array(paths, np.int64), np.array(scores, np.float32), np.array(counts, np.float64))


def drawn(seed, items=60, paths=12, kept=6):
    """Scores as a model gives them, that many items want the same paths by."""
    rng = np.random.default_rng(seed)
    favour = rng.normal(size=paths)
    chosen = np.argsort(-(favour + rng.normal(size=(items, paths))), 1)[:, :kept]
    counts = rng.zipf(1.5, items).clip(0, 300).astype(np.float64)
    scores = counts[:, None] * rng.dirichlet(np.ones(kept), items)
    return Scores(chosen.astype(np.int64), scores.astype(np.float32), counts)


def objective(scores, numbers, alpha):
    """The paper's, straight from its formula."""
    total = 0.0
    for item, mine in enumerate(numbers):
        found = scores.scores[item][np.isin(scores.paths[item], mine[mine != NONE])].sum(dtype=np.float64)
        total += scores.counts[item] * np.log(found) if found > 0 else 0.0
    return total - alpha * (np.unique(numbers[numbers != NONE], return_counts=True)[1].astype(float) ** 4 / 4).sum()


def test_sums_by_hand():
    sums = Sums()
    sums.add(np.array([1, 1]), np.array([[5, 3], [3, 7]]), np.array([[0.5, 0.25], [0.5, 0.125]], np.float32))
    sums.add(np.array([0, 1]), np.array([[2, 9], [7, 5]]), np.array([[0.5, 0.5], [0.125, 0.125]], np.float32))
    found = sums.best(3, 2)
    assert found.paths.tolist() == [[2, 9], [3, 5], [NONE, NONE]]
    assert found.scores.tolist() == [[0.5, 0.5], [0.75, 0.625], [0, 0]]
    assert found.counts.tolist() == [1, 3, 0]


def test_a_path_that_is_new_to_a_full_row_begins_near_the_least_by_hand():
    scores = Scores.none(1, 2)
    for path, chance in [(4, 0.5), (6, 0.25), (4, 0.125), (8, 0.0625)]:
        scores.add(np.array([0]), np.array([[path]]), np.array([[chance]], np.float32))
    assert scores.paths.tolist() == [[4, 8]]
    np.testing.assert_allclose(scores.scores, [[0.625, 0.999 * 0.25 + 0.0625]], rtol=1e-6)
    scores.decay(0.5)
    np.testing.assert_allclose(scores.scores, [[0.3125, 0.5 * (0.999 * 0.25 + 0.0625)]], rtol=1e-6)
    assert scores.counts.tolist() == [2.0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_streamed_scores_are_the_exact_ones_while_rows_have_room(seed):
    rng = np.random.default_rng(seed)
    streamed, sums = Scores.none(5, 20), Sums()
    for _ in range(3):
        items = rng.integers(5, size=8)
        paths = np.array([rng.choice(20, 4, replace=False) for _ in range(8)])
        chances = rng.random((8, 4)).astype(np.float32)
        streamed.add(items, paths, chances)
        sums.add(items, paths, chances)
    exact = sums.best(5, 20)
    np.testing.assert_array_equal(streamed.counts, exact.counts)
    for item in range(5):
        one = {
            path: score for path, score in zip(streamed.paths[item], streamed.scores[item], strict=True) if path >= 0
        }
        other = {path: score for path, score in zip(exact.paths[item], exact.scores[item], strict=True) if path >= 0}
        assert one.keys() == other.keys()
        np.testing.assert_allclose([one[path] for path in other], list(other.values()), rtol=1e-5)


def test_without_a_penalty_each_item_has_its_best_scored_paths():
    scores = drawn(0)
    found = assigned(scores, 12, 3, alpha=0.0)
    for item in np.flatnonzero(scores.counts):
        best = scores.paths[item][np.argsort(-scores.scores[item])[:3]]
        assert set(found.numbers[item]) == set(best)


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.3])
def test_a_small_case_comes_near_the_best_of_all_assignments(alpha):
    for seed in range(10):
        scores = drawn(seed, items=6, paths=4, kept=3)
        scores.counts = np.maximum(scores.counts, 1)
        scores.scores = np.maximum(scores.scores, 0.01)
        found = assigned(scores, 4, 1, alpha, passes=5)
        everything = (np.array(one)[:, None] for one in itertools.product(*scores.paths))
        best = max(objective(scores, one, alpha) for one in everything)
        assert found.objective[-1] >= best - 0.02 * abs(best) - 0.05
        assert found.objective[-1] == pytest.approx(objective(scores, found.numbers, alpha), rel=1e-5, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.0, 1e-3, 1e-1, 10.0]), st.integers(1, 4), st.sampled_from([0, 25]))
def test_the_objective_never_falls_and_no_item_has_a_path_twice(seed, alpha, each, cap):
    scores = drawn(seed)
    found = assigned(scores, 12, each, alpha, cap, passes=5)
    assert (np.diff(found.objective) >= -1e-6 * np.abs(found.objective[:-1])).all()
    assert found.objective[-1] == pytest.approx(objective(scores, found.numbers, alpha), rel=1e-5, abs=1e-3)
    met = scores.counts > 0
    assert (found.numbers[~met] == NONE).all()
    assert (found.numbers[met] != NONE).any(1).all(), "everything that was met lies somewhere"
    for mine in found.numbers[met]:
        mine = mine[mine != NONE]
        assert len(np.unique(mine)) == len(mine)
    sizes = np.bincount(found.numbers[found.numbers != NONE], minlength=12)
    assert found.largest == sizes.max(initial=0)
    assert found.used == (sizes > 0).sum()
    if cap:
        assert found.largest <= cap


def test_the_largest_path_falls_with_the_penalty():
    scores = drawn(1, items=2000, paths=400, kept=12)
    largest = [assigned(scores, 400, 3, alpha).largest for alpha in (0.0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)]
    assert all(one >= other for one, other in itertools.pairwise(largest))
    assert largest[0] > 2 * largest[-1]


def test_a_cap_holds_where_all_want_the_same_path():
    scores = of([[3]] * 10, [[1.0]] * 10, [1.0] * 10)
    found = assigned(scores, 5, 1, 0.0, cap=2)
    assert sorted(found.numbers[:, 0].tolist()) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    with pytest.raises(ValueError, match="have no room"):
        assigned(scores, 4, 1, 0.0, cap=2)


@pytest.mark.parametrize("cap", [0, 3])
def test_many_paths_are_counted_by_name_to_the_same_end(cap, monkeypatch):
    scores = drawn(2)
    wanted = assigned(scores, 100, 3, 0.01, cap=cap)
    monkeypatch.setattr(assignment, "DENSE", 8)
    found = assigned(scores, 100, 3, 0.01, cap=cap)
    if not cap:
        np.testing.assert_array_equal(found.numbers, wanted.numbers)
        np.testing.assert_allclose(found.objective, wanted.objective)
    assert np.unique(found.numbers[found.numbers != NONE], return_counts=True)[1].max() <= (cap or 60)
    assert (found.numbers[scores.counts > 0] != NONE).any(1).all()


def test_items_without_a_moment_stay_and_are_counted():
    scores = of([[0, 1], [NONE, NONE]], [[0.9, 0.8], [0, 0]], [1.0, 0.0])
    before = np.array([[5], [0]])
    assert assigned(scores, 6, 1, alpha=1.0, before=before).numbers.tolist() == [[1], [0]]
    assert assigned(scores, 6, 1, alpha=0.0, before=before).numbers.tolist() == [[0], [0]]
