"""The methods with paths keep the contract of a method, and find what they were made to find."""

import logging
from pathlib import Path

import numpy as np
import pytest

from bench import (
    Catalog,
    Categorical,
    Context,
    DataError,
    Evaluation,
    Interactions,
    ParameterError,
    Ragged,
    TrainingData,
)
from bench.testing import check_method
from bench_dr.dr import DR
from bench_dr.paths import NONE
from bench_dr.streaming_vq import StreamingVQ
from bench_dr.tiger import Tiger

SMALL = {
    "dim": 16,
    "length": 12,
    "blocks": 1,
    "negatives": 64,
    "batch": 32,
    "epochs": 2,
    "seconds": 0,
    "nodes": 8,
    "precision": "float32",
}


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (DR, {"layers": 2}),
        (StreamingVQ, {}),
        (StreamingVQ, {"nodes": 50, "balance": 0.0, "rerank": False, "keep": 0.5}),
        (DR, {"start": "random", "layers": 3, "each": 2, "encoder": "gru", "loss": "logistic", "cap": 40}),
        (Tiger, {"nodes": 64}),
        (Tiger, {"layers": 1, "nodes": 300, "rerank": True, "decoder_blocks": 2, "beam": 7}),
        (DR, {"encoder": "pooled", "decay": 0.9, "each": 1, "layers": 1, "rerank": False, "precision": "bfloat16"}),
    ],
)
def test_they_keep_the_contract(method, settings):
    check_method(method, {**SMALL, **settings})


def trained(method, data, **settings):
    """A method that has learnt and is indexed, and the milestones that it passed, by name."""
    deep = {"layers": 2} if method is DR else {}
    built = method(**{**SMALL, **deep, "epochs": 12, "learning_rate": 0.01, **settings})
    passed = {}
    context = Context(
        0,
        np.random.default_rng(0),
        "cpu",
        1,
        Path("unused"),
        lambda done, total, note="": None,
        logging.getLogger(),
        milestone=lambda name, **values: passed.update({name: values}),
    )
    built.train(data, context)
    built.index(data.catalog, context)
    return built, passed, context


@pytest.fixture(scope="module")
def planted(requests_of):
    """Users who each stay with the ten items of one of 30 planted paths, for nine steps of ten; and where the items
    lie, int64 [300]."""
    rng = np.random.default_rng(1)
    lies = rng.permutation(np.repeat(np.arange(30), 10))
    on = np.argsort(lies, kind="stable").reshape(30, 10)
    own = on[rng.integers(30, size=(600, 1)), rng.integers(10, size=(600, 20))]
    items = np.where(rng.random((600, 20)) < 0.9, own, rng.integers(300, size=(600, 20)))
    history = Ragged.from_rows(list(items.astype(np.int32)))
    interactions = Interactions(history.rows().astype(np.int32), history.values, history)
    asked = Ragged.from_rows([row[:10] for row in items[:100]])
    targets = Ragged.from_rows([np.unique(row[10:]) for row in items[:100]])
    return TrainingData(interactions, Catalog(300), Evaluation(requests_of(asked), targets)), lies


@pytest.mark.parametrize("start", ["clusters", "random"])
def test_planted_paths_are_recovered(planted, requests_of, start):
    data, lies = planted
    settings = {"start": start, "each": 1, "rounds": 4, "alpha": 0.03, "epochs": 24}
    built, passed, context = trained(DR, data, rerank=False, ratio=1, **settings)
    rng = np.random.default_rng(2)
    path = rng.integers(30, size=200)
    on = np.argsort(lies, kind="stable").reshape(30, 10)
    history = Ragged.from_rows(list(on[path[:, None], rng.integers(10, size=(200, 8))].astype(np.int32)))
    found = built.query(requests_of(history), 10, context)
    recall = np.mean([np.isin(on[one], ids).mean() for one, ids in zip(path, found.ids, strict=True)])
    numbers = built.paths_.numbers[:, 0]
    together, learnt = lies[:, None] == lies, numbers[:, None] == numbers
    agreement = (together & learnt).sum() / (together | learnt).sum()  # of pairs that share a path
    assert recall >= 0.95, f"recall {recall:.3f} of the planted optimum, agreement {agreement:.3f}"
    assert passed["round 4"]["log-likelihood"] > passed["round 1"]["log-likelihood"]


@pytest.mark.parametrize("method", [Tiger, StreamingVQ])
def test_codes_and_clusters_lead_to_what_the_inner_product_ranks_highest(method, shelves, requests_of):
    built, _, context = trained(method, shelves, nodes=32, rerank=True, epochs=16, beam=200)
    requests = requests_of(shelves.interactions.by_user[:40])
    found = built.query(requests, 20, context)
    scores = built.score(requests, np.arange(2000, dtype=np.int32), context)
    best = np.argsort(-scores, 1)[:, :20]
    assert np.mean([np.isin(one, other).mean() for one, other in zip(best, found.ids, strict=True)]) > 0.8


def test_no_two_items_have_the_same_codes(shelves):
    built, _, context = trained(Tiger, shelves, layers=1, nodes=60, epochs=2)
    shelf = Categorical(np.arange(2300, dtype=np.int32) % 20, [str(at) for at in range(20)])
    built.index(Catalog(2300, {"shelf": shelf}), context)
    numbers, met = built.index_.paths.numbers[:, 0], built.popularity_ > 0
    assert len(np.unique(numbers)) == 2300
    np.testing.assert_array_equal(numbers[:2000][met], built.paths_.numbers[met, 0])
    with pytest.raises(DataError, match="items are alike: raise nodes or layers"):
        trained(Tiger, shelves, layers=1, nodes=8, epochs=2)


def test_the_reranker_orders_what_the_paths_bring(shelves, requests_of):
    built, passed, context = trained(DR, shelves, nodes=20)
    requests = requests_of(shelves.interactions.by_user[:40])
    found = built.query(requests, 20, context)
    scores = built.score(requests, np.arange(2000, dtype=np.int32), context)
    best = np.argsort(-scores, 1)[:, :20]
    assert np.mean([np.isin(one, other).mean() for one, other in zip(best, found.ids, strict=True)]) > 0.8
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, found.ids, 1), atol=1e-4)
    assert (found.work <= 1 + 50 + 200).all(), "softmaxes of two layers, ten candidates an answer"
    assert list(passed) == ["round 0", "round 1", "round 2", "round 3"]
    assert passed["round 1"].keys() == {"largest path", "used paths", "log-likelihood", "validation recall@50"}


def test_without_the_reranker_the_score_is_that_of_all_paths(shelves, requests_of):
    built, _, context = trained(DR, shelves, epochs=3, rerank=False, beam=64)
    requests = requests_of(shelves.interactions.by_user[:10])
    found = built.query(requests, 20, context)
    scores = built.score(requests, np.arange(2000, dtype=np.int32), context)
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, found.ids, 1), atol=1e-4)
    assert (found.work == 9).all()


def test_a_request_that_excludes_much_searches_wider(shelves):
    built, _, context = trained(DR, shelves, epochs=2, beam=1, each=1)
    rows = 3
    history = shelves.interactions.by_user[:rows]
    exclude = Ragged.from_rows([np.arange(1900, dtype=np.int32)] * rows)
    from bench import Requests

    requests = Requests(np.arange(rows), np.full(rows, -1, np.int32), history, exclude)
    found = built.query(requests, 50, context)
    lie = np.flatnonzero((built.index_.paths.numbers != NONE).any(1))
    assert len(np.setdiff1d(lie, np.arange(1900))) >= 50
    assert ((found.ids >= 1900) & (found.ids < 2000)).all()


def test_items_that_training_did_not_have_lie_where_their_like_do(shelves):
    built, _, context = trained(DR, shelves, nodes=20)
    size = 2200
    shelf = np.concatenate([np.arange(2000) // 100, np.arange(200) // 10]).astype(np.int32)
    built.index(Catalog(size, {"shelf": Categorical(shelf, [str(at) for at in range(20)])}), context)
    paths = built.index_.paths.numbers
    assert (paths[2000:] != NONE).any(1).all()
    np.testing.assert_array_equal(
        paths[: len(built.paths_)][built.popularity_ > 0], built.paths_.numbers[built.popularity_ > 0]
    )
    near = [np.isin(paths[item], paths[:2000][shelf[:2000] == shelf[item]]).any() for item in range(2000, size)]
    assert np.mean(near) > 0.8


@pytest.mark.parametrize("settings", [{}, {"rounds": 1}, {"rounds": 1, "start": "random"}])
def test_a_cap_holds_for_items_old_and_new(shelves, settings):
    built, passed, context = trained(DR, shelves, epochs=3, cap=60, each=2, nodes=10, **settings)
    shelf = (np.arange(2600) % 20).astype(np.int32)
    built.index(Catalog(2600, {"shelf": Categorical(shelf, [str(at) for at in range(20)])}), context)
    assert built.index_.paths.sizes.max() <= 60
    assert all(round["largest path"] <= 60 for name, round in passed.items() if name != "round 0")


def test_paths_that_cannot_be_are_refused(shelves):
    with pytest.raises(ParameterError, match="have no room"):
        trained(DR, shelves, cap=3, nodes=4)
    with pytest.raises(ParameterError, match="have fewer paths"):
        DR(nodes=2, layers=1)
    with pytest.raises(ParameterError, match="more paths than can be numbered"):
        DR(nodes=100_000, layers=4)
