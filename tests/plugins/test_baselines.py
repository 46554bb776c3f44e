"""Baselines against small examples worked by hand, brute force, and their promises at the edges."""

import logging
from pathlib import Path

import numpy as np
import pytest

from bench import Answer, Catalog, Context, Evaluation, Interactions, Ragged, Requests, TrainingData, Unavailable
from bench.run.hooks import connect
from bench_baselines import ease, neighbours
from bench_baselines.ease import EASE
from bench_baselines.item_cf import ItemCF
from bench_baselines.null import Null
from bench_baselines.popularity import Popularity

DAY = 86_400
CONTEXT = Context(0, np.random.default_rng(0), "cpu", 1, Path(), lambda *_: None, logging.getLogger("test"))


def _data(rows, items, times=None):
    by_user = Ragged.from_rows(rows)
    interactions = Interactions(by_user.rows().astype(np.int32), by_user.values, by_user, times)
    return TrainingData(interactions, Catalog(items), Evaluation(_requests([]), Ragged.empty(0)))


def _requests(histories, exclude=None):
    history = Ragged.from_rows(histories)
    size = len(histories)
    seen = Ragged.from_rows([np.unique(row) for row in (histories if exclude is None else exclude)])
    return Requests(np.arange(size), np.full(size, -1, np.int32), history, seen)


def _ready(method, data, catalog=None):
    hooks = connect(method)
    hooks.train(data=data, context=CONTEXT)
    hooks.index(catalog=catalog or data.catalog, context=CONTEXT)
    return hooks


def _query(hooks, requests, k, context=CONTEXT):
    return hooks.query(requests=requests, k=k, context=context)


def test_null_answers_nothing_and_hands_out_one_constant():
    hooks = _ready(Null(), _data([[0, 1]], 3))
    answer = _query(hooks, _requests([[0], [1]]), 4)
    assert answer.ids.tolist() == [[-1] * 4] * 2
    assert _query(hooks, _requests([[1], [2]]), 4) is answer


def test_popularity_ranks_by_count_then_id_and_steps_over_excluded_items():
    data = _data([[0, 1, 2], [2, 1], [2, 3]], 5)  # counts 1, 2, 3, 1, 0
    answer = _query(_ready(Popularity(), data), _requests([[], [2], [0, 3, 2, 1]]), 3)
    assert answer.ids.tolist() == [[2, 1, 0], [1, 0, 3], [4, -1, -1]]
    assert answer.scores[0].tolist() == [3, 2, 1]
    assert answer.work.tolist() == [3, 4, 5]


def test_popularity_with_a_half_life_halves_old_interactions():
    times = np.array([0, 10, 20, 20]) * DAY
    data = _data([[0, 0, 1, 2]], 3, times)
    hooks = _ready(Popularity(half_life=10.0), data)
    scores = hooks.score(requests=_requests([[]]), items=np.arange(3, dtype=np.int32), context=CONTEXT)
    assert scores.tolist() == [[0.25 + 0.5, 1, 1]]
    assert _query(hooks, _requests([[]]), 3).ids.tolist() == [[1, 2, 0]]


def test_popularity_with_a_half_life_needs_times():
    with pytest.raises(Unavailable, match="set half_life=0"):
        _ready(Popularity(half_life=10.0), _data([[0, 1]], 2))


def test_item_cf_sums_cosines_of_the_distinct_items_of_a_history():
    data = _data([[0, 1], [0, 1, 2], [0], [3, 3]], 5)  # users of 0: 3, of 1: 2, of 2: 1, of 3: 1
    hooks = _ready(ItemCF(), data)
    answer = _query(hooks, _requests([[0, 0], [1, 2]], exclude=[[], []]), 3)
    cosine = {(0, 1): 2 / np.sqrt(6), (0, 2): 1 / np.sqrt(3), (1, 2): 1 / np.sqrt(2)}
    assert answer.ids[0].tolist() == [1, 2, 0]  # no item is its own neighbour: 0 follows by popularity
    assert answer.scores[0, :2] == pytest.approx([cosine[0, 1], cosine[0, 2]])
    assert answer.scores[0, 2] == pytest.approx(-1 / (1 + 3))
    assert answer.ids[1].tolist() == [0, 1, 2]
    assert answer.scores[1] == pytest.approx([cosine[0, 1] + cosine[0, 2], cosine[1, 2], cosine[1, 2]])
    assert answer.work.tolist() == [2, 4]


def test_item_cf_keeps_the_nearest_neighbours_of_each_answered_item():
    data = _data([[0, 1], [0, 1, 2], [0], [3, 3]], 5)
    hooks = _ready(ItemCF(neighbours=1), data)
    # kept: 0 <- 1, 1 <- 0, 2 <- 1; so a history of 0 reaches 1 alone
    answer = _query(hooks, _requests([[0], [1]]), 2)
    assert answer.ids.tolist() == [[1, 3], [0, 2]]
    assert answer.scores[0, 1] < 0 < answer.scores[1, 1]


@pytest.mark.parametrize("k", [1, 3, 10, 25])
def test_item_cf_answers_the_best_of_all_its_scores(k):
    rng = np.random.default_rng(2)
    rows = [rng.integers(0, 80, 9) for _ in range(70)]
    hooks = _ready(ItemCF(neighbours=15), _data(rows, 80))
    requests = _requests([rng.integers(0, 80, size) for size in (0, 1, 3, 9, 30, 200)])
    everything = np.arange(80, dtype=np.int32)
    scores = hooks.score(requests=requests, items=everything, context=CONTEXT)
    expected = Answer.top(everything, scores, k, requests.exclude)
    answer = _query(hooks, requests, k)
    assert (answer.ids == expected.ids).all()
    assert (answer.scores == expected.scores).all()


def test_item_cf_fills_up_with_popular_items_that_are_eligible_and_not_excluded():
    data = _data([[0, 1], [2, 2, 2], [3, 3]], 6)
    hooks = _ready(ItemCF(), data, Catalog(6, eligible=np.array([0, 2, 3, 5], np.int32)))
    answer = _query(hooks, _requests([[1]], exclude=[[2]]), 4)
    assert answer.ids.tolist() == [[0, 3, 5, -1]]


@pytest.mark.parametrize("block", [1, 50, 10**6])
@pytest.mark.parametrize("shrink", [0.0, 2.0])
def test_neighbours_agree_with_brute_force_in_blocks_of_any_size(monkeypatch, block, shrink):
    monkeypatch.setattr(neighbours, "PAIRS_PER_BLOCK", block)
    rng = np.random.default_rng(3)
    rows = [rng.integers(0, 30, rng.integers(1, 12)) for _ in range(40)]
    met = np.zeros((40, 30))
    for user, items in enumerate(rows):
        met[user, items] = 1
    together, degree = met.T @ met, met.sum(0)
    cosine = together / np.maximum(np.sqrt(np.outer(degree, degree)) + shrink, 1e-9)
    np.fill_diagonal(cosine, 0)
    nearest = np.argsort(-cosine.astype(np.float32), axis=1, kind="stable")[:, :4]
    expected = np.zeros((30, 30))
    for item in range(30):
        expected[nearest[item], item] = cosine[item, nearest[item]]  # [history item, answered item]
    offsets, ids, values = neighbours.nearest_neighbours(Ragged.from_rows(rows), 30, 4, shrink, CONTEXT)
    found = np.zeros((30, 30))
    found[np.repeat(np.arange(30), np.diff(offsets)), ids] = values
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_ease_agrees_with_the_closed_form_written_out(monkeypatch):
    monkeypatch.setattr(ease, "ITEMS_PER_BLOCK", 4)
    rng = np.random.default_rng(5)
    rows = [rng.choice(11, rng.integers(2, 6), replace=False) for _ in range(40)]
    met = np.zeros((40, 11))
    for user, items in enumerate(rows):
        met[user, items] = 1
    inverse = np.linalg.inv(met.T @ met + 3 * np.eye(11))
    weights = -inverse / np.diag(inverse)  # eq. 8: B = I - P diag(1 / diag P)
    np.fill_diagonal(weights, 0)
    hooks = _ready(EASE(regularisation=3.0), _data(rows, 11))
    scores = hooks.score(requests=_requests(rows), items=np.arange(11, dtype=np.int32), context=CONTEXT)
    np.testing.assert_allclose(scores, met @ weights, atol=1e-5)
    expected = np.where(met > 0, -np.inf, met @ weights)
    assert (_query(hooks, _requests(rows), 5).ids == np.argsort(-expected, axis=1)[:, :5]).all()


def test_ease_never_answers_an_item_that_training_did_not_meet():
    hooks = _ready(EASE(), _data([[0, 2], [2, 0, 4]], 5), Catalog(7))
    answer = _query(hooks, _requests([[0], [6], []]), 5)
    assert answer.ids.tolist() == [[2, 4, -1, -1, -1], [0, 2, 4, -1, -1], [0, 2, 4, -1, -1]]


def test_ease_refuses_what_does_not_fit_in_memory(monkeypatch):
    monkeypatch.setattr(ease, "BYTES_PER_PAIR", 10**18)
    with pytest.raises(Unavailable, match=r"ease needs [\d,.]+ GiB .* between 2 items .* take item_cf"):
        _ready(EASE(), _data([[0, 1]], 2))


@pytest.mark.parametrize("method", [Popularity(), ItemCF(neighbours=5), EASE(regularisation=10.0)])
def test_blocks_and_threads_change_no_answer(monkeypatch, method):
    rng = np.random.default_rng(1)
    rows = [rng.integers(0, 50, 8) for _ in range(60)]
    hooks = _ready(method, _data(rows, 50))
    whole = _query(hooks, _requests(rows), 10)
    monkeypatch.setattr("bench_baselines.blocks.CELLS_PER_BLOCK", 130)
    for threads in (1, 3):
        context = Context(0, CONTEXT.rng, "cpu", threads, CONTEXT.scratch, CONTEXT.progress, CONTEXT.log)
        parts = _query(hooks, _requests(rows), 10, context)
        assert (parts.ids == whole.ids).all()
        assert (parts.scores == whole.scores).all()
        assert (parts.work == whole.work).all()
