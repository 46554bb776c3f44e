"""DVF keeps the contract of a method, and finds what its scorer would find by brute force."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pytest

from bench import (
    Catalog,
    Categorical,
    Context,
    ParameterError,
    Ragged,
)
from bench.testing import check_method
from bench_dvf.dvf import DVF
from bench_dvf.effort import fitted
from bench_index.beam import Effort
from bench_index.graph import Graph
from bench_index.insertion import insert
from bench_neural import checkpoint
from bench_neural.whole import Objective

SMALL = {
    "dim": 16,
    "length": 12,
    "behaviours": 6,
    "blocks": 1,
    "hidden": 16,
    "negatives": 64,
    "batch": 32,
    "epochs": 2,
    "seconds": 0,
}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scorer": "inner", "structure": "hnsw", "entry": 20},
        {"scorer": "interests", "structure": "medoids", "early_stop": 2},
        {"scorer": "mol", "structure": "knn", "walk": "classic"},
        {"scorer": "dnn", "structure": "hnswlib", "covisited": 4, "loss": "nce", "quota": 0},
        {"precision": "float32", "joint": 0.0, "hard": 0.3, "epsilon": 0.1, "smoothing": 1.0},
    ],
    ids=lambda settings: settings.get("scorer", "attention"),
)
def test_it_keeps_the_contract(settings):
    check_method(DVF, {**SMALL, **settings})


def graph_of(*sizes):
    """Layers of these sizes, the bottom with 40 links a node."""
    bottom = Ragged(np.arange(sizes[0] + 1) * 40, np.zeros(sizes[0] * 40, np.int32))
    return Graph(np.arange(sizes[0], dtype=np.int32), (bottom, *(Ragged.empty(size) for size in sizes[1:])))


def lent():
    rng = np.random.default_rng(0)
    return Context(0, rng, "cpu", 1, Path("unused"), lambda done, total, note="": None, logging.getLogger())


def test_a_small_catalog_is_searched_from_a_layer_that_leaves_room():
    graph = graph_of(3883, 110, 3)
    effort = fitted(graph, (100, 200, 400), (1, 1, 3), 0.1, 4)
    assert effort == Effort((100, 55, 400), (1, 1, 3), 389, 4)
    assert effort.start(graph) == 1
    assert fitted(graph, (100, 200, 400), (1, 1, 3), 0.02, 4).start(graph) == 2


def test_layers_that_no_width_names_are_searched_as_widely_as_the_first_that_is():
    """Otherwise the search would spend its whole share on the layer that it begins with."""
    graph = graph_of(12_000, 375, 11)
    effort = fitted(graph, (400,), (3,), 0.05, 0)
    assert effort.start(graph) == 2 and effort.widths == (5, 400, 400)
    assert fitted(graph_of(1_000_000, 31_250, 976), (200, 600), (1, 3), 0.01, 0).widths == (200, 200, 600)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"scorer": "inner", "smoothing": 1.0}, "scorer=inner has none of"),
        ({"structure": "medoids", "ef_construction": 200}, "not for structure=medoids"),
        ({"structure": "medoids", "walk": "classic"}, "walk=classic"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(settings, reason):
    with pytest.raises(ParameterError, match=reason):
        DVF(**settings)


class Killed(BaseException):
    """What ends a process."""


def test_a_training_that_is_killed_goes_on_with_the_same_digits(shelves, tmp_path, monkeypatch):
    """With what it remembers besides the weights: mined negatives, and the draws of negatives and directions."""
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "LEAST_SHARE", 0)
    settings = {**SMALL, "epochs": 2, "hard": 0.3, "epsilon": 0.1, "smoothing": 1.0}
    batches = 0

    class Fatal(Objective):
        def __call__(self, batch):
            nonlocal batches
            batches += 1
            if batches == 13:  # in the second pass, with negatives that were mined after the first
                raise Killed
            return super().__call__(batch)

    def trained():
        method = DVF(**settings)
        method.train(shelves, dataclasses.replace(lent(), checkpoint=tmp_path))
        return method.network_.state_dict()

    whole = DVF(**settings)
    whole.train(shelves, lent())
    monkeypatch.setattr("bench_dvf.dvf.Objective", Fatal)
    with pytest.raises(Killed):
        trained()
    before, resumed = batches, trained()
    assert batches - before == 20 - 12
    for name, value in whole.network_.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), resumed[name].numpy(), err_msg=name)


def test_what_is_learnt_from_searches_does_not_depend_on_how_it_will_be_searched(shelves):
    learnt = []
    for later in ({}, {"structure": "medoids", "links": 4, "share": 0.5, "ef": (20,)}):
        method = DVF(**{**SMALL, "hard": 0.5, **later})
        method.train(shelves, lent())
        learnt.append(method.network_.state_dict())
    for name, value in learnt[0].items():
        np.testing.assert_array_equal(value.numpy(), learnt[1][name].numpy(), err_msg=name)


def test_items_that_left_stay_where_they_were_when_others_come(shelves, requests_of, monkeypatch):
    """New items are linked by where the nodes lie: a removed one's place is its own, not that of another item."""
    data, method, context = shelves, DVF(**SMALL), lent()
    method.train(data, context)
    method.index(data.catalog, context)
    removed, whole = np.arange(0, 2000, 3, dtype=np.int32), method.index_
    places = {}

    def noting(graph, old, new, items, **settings):
        places["old"] = old
        return insert(graph, old, new, items, **settings)

    monkeypatch.setattr("bench_dvf.serving.insert", noting)
    code = np.append(data.catalog.features["shelf"].codes, np.int32(0))
    more = Catalog(2001, {"shelf": Categorical(code, data.catalog.features["shelf"].names)})
    method.update(more, np.array([2000], np.int32), removed, context)
    np.testing.assert_allclose(
        places["old"][:, :-1], whole.vectors.numpy()[whole.graph.items][:, :-1], rtol=1e-5, atol=1e-6
    )
    found = method.query(requests_of(data.interactions.by_user[:40]), 50, context)
    assert not np.isin(found.ids, removed).any() and (found.ids >= 0).all()


def test_a_large_catalog_is_searched_as_in_the_paper():
    graph = graph_of(400_000, 12_500, 400)
    effort = fitted(graph, (100, 200, 400), (1, 1, 3), 0.1, 0)
    assert effort == Effort((100, 200, 400), (1, 1, 3), 40_000, 0)
    assert effort.start(graph) == 2 and effort.turns(0) == 3


def test_the_search_finds_what_the_scorer_ranks_highest_at_a_fifth_of_the_work(shelves, requests_of):
    data, context = shelves, lent()
    method = DVF(**{**SMALL, "epochs": 4, "learning_rate": 0.01, "share": 0.2})
    method.train(data, context)
    method.index(data.catalog, context)
    requests = requests_of(data.interactions.by_user[:40])
    found = method.query(requests, 20, context)
    scores = method.score(requests, np.arange(2000, dtype=np.int32), context)
    best = np.argsort(-scores, 1)[:, :20]
    assert np.mean([np.isin(one, other).mean() for one, other in zip(best, found.ids, strict=True)]) > 0.9
    assert found.work.max() <= 400
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, found.ids, 1), atol=1e-4)
