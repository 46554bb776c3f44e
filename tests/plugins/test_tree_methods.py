"""The methods with a tree keep the contract of a method, and find what their scorers would find by brute force."""

import logging
from pathlib import Path

import numpy as np
import pytest

from bench import Context, DataError, ParameterError
from bench.testing import check_method
from bench_tree.jtm import JTM, OTM
from bench_tree.label_trees import HSM, PLT
from bench_tree.tdm import TDM

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
    "precision": "float32",
}


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (TDM, {"tree": "category"}),
        (TDM, {"scorer": "windows", "tree": "spectral"}),
        (TDM, {"scorer": "inner", "tree": "clusters", "rounds": 1, "loss": "bce", "branching": 3, "lifted": True}),
        (JTM, {"scorer": "dnn", "tree": "random", "depth": 2, "precision": "bfloat16"}),
        (JTM, {"hierarchical": True}),
        (OTM, {"trained_beam": 5, "stride": 3}),
        (OTM, {"trained_beam": 5, "stride": 1}),
        (OTM, {"aware": False, "pseudo": False, "loss": "softmax", "rounds": 1}),
        (PLT, {"scorer": "dnn"}),
        (HSM, {"scorer": "interests", "rounds": 1}),
    ],
)
def test_they_keep_the_contract(method, settings):
    check_method(method, {**SMALL, **settings})


@pytest.mark.parametrize("method", [OTM, PLT])
def test_what_does_not_train_by_level_refuses_hierarchical_behaviours(method, shelves):
    with pytest.raises(ParameterError, match="hierarchical=True is for tdm and jtm"):
        trained(method, shelves, hierarchical=True)


@pytest.mark.parametrize(
    ("method", "settings", "said"),
    [
        (JTM, {"hierarchical": True, "scorer": "dnn"}, "scorer=dnn looks at none"),
        (HSM, {"first_level": 3}, "first_level is not for plt and hsm"),
        (PLT, {"level_negatives": (9,)}, "level_negatives is not for plt and hsm"),
    ],
)
def test_parameters_without_an_effect_are_refused(method, settings, said, shelves):
    with pytest.raises(ParameterError, match=said):
        trained(method, shelves, **settings)


def trained(method, data, **settings):
    """A method that has learnt and is indexed, and the milestones that it passed, by name."""
    built = method(**{**SMALL, "epochs": 12, "learning_rate": 0.01, "taper": 1.0, **settings})
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


@pytest.mark.parametrize("method", [TDM, JTM, OTM, PLT, HSM])
def test_the_search_finds_what_the_scorer_ranks_highest_at_a_part_of_the_work(method, shelves, requests_of):
    built, passed, context = trained(method, shelves)
    requests = requests_of(shelves.interactions.by_user[:40])
    found = built.query(requests, 20, context)
    scores = built.score(requests, np.arange(2000, dtype=np.int32), context)
    best = np.argsort(-scores, 1)[:, :20]
    assert np.mean([np.isin(one, other).mean() for one, other in zip(best, found.ids, strict=True)]) > 0.8
    assert found.work.max() <= 1300
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, found.ids, 1), atol=1e-4)
    assert [name for name in passed if name.startswith("round")] == ["round 0", "round 1", "round 2"]


def test_jtm_moves_the_items_of_a_random_tree_to_where_they_are_likelier(shelves):
    built, passed, _ = trained(JTM, shelves, tree="random")
    assert passed["tree"]["after"] > passed["tree"]["log-likelihood before"]
    lowest = built.tree_.ancestors(built.tree_.leaves(2000))[:, 5]  # the 32 nodes of level 5
    met = np.unique(shelves.interactions.items)
    apart = [len(np.unique(met[lowest[met] == node] // 100)) for node in np.unique(lowest)]
    assert np.mean(apart) < 15, "shelves come together in nodes"


def test_jtm_betters_a_tree_that_its_nodes_have_been_trained_on(shelves):
    """From the root down it would not: what lies below has been fit to where the items are."""
    _, passed, _ = trained(JTM, shelves)
    assert passed["tree"]["after"] > passed["tree"]["log-likelihood before"]
    assert passed["tree"]["moved below level"] > 0


def test_a_saved_tree_that_does_not_fit_the_catalog_is_refused_with_the_item_named(shelves, tmp_path):
    built, _, context = trained(TDM, shelves, scorer="inner", epochs=2)
    for phase in ("train", "index"):
        (tmp_path / phase).mkdir()
        built.save(tmp_path / phase, phase)

    def refused(phase, file, change, said):
        path = tmp_path / phase / file
        whole = np.load(path)
        np.save(path, change(whole.copy()))
        with pytest.raises(DataError, match=said):
            TDM(**{**SMALL, "scorer": "inner"}).load(tmp_path / phase, phase, context)
        np.save(path, whole)

    def other(value):
        def change(items):
            items[np.flatnonzero(items == 7)] = value
            return items

        return change

    refused("train", "tree.items.npy", other(8), "item 8 ")
    refused("train", "tree.items.npy", other(2000), "the first is 7")
    refused("index", "levels.items.npy", other(8), "item 8 is on 2 leaves")
    refused("index", "levels.items.npy", other(2000), "item 2000 of the tree is not one of the catalog's 2,000")
    refused("index", "answers.npy", lambda items: items[1:], "do not fit together")
