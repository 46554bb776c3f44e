"""Retrieval and pre-ranking together."""

import dataclasses

import numpy as np
import pytest
import torch

from bench import Context
from bench.testing import check_method
from bench.testing.world import make_world
from bench_vector.cascade import Cascade
from bench_vector.prerank import CROSSED, Explorer, PreRanker, Sides, chosen, cost, crossed

SMALL = {"dim": 8, "length": 12, "blocks": 1, "epochs": 1, "negatives": 20, "ranked": 10, "hidden": 16, "passes": 1}


@pytest.mark.parametrize(
    "settings", [{}, {"budget": 0.0}, {"budget": 1.0, "backend": "hnsw", "ratio": 2}, {"model": "parallel"}]
)
def test_the_cascade_keeps_the_contract(settings: dict[str, object]) -> None:
    check_method(Cascade, {**SMALL, **settings})


def test_the_answer_is_the_best_of_the_candidates_by_the_whole_score(context: Context) -> None:
    kept: dict[str, float] = {}
    told = dataclasses.replace(context, milestone=lambda name, **values: kept.update(values))
    world = make_world()
    method = Cascade(**{**SMALL, "ratio": 100})  # type: ignore[arg-type]
    method.train(world.training, told)
    method.index(world.catalog, context)
    assert set(CROSSED) < set(kept) and all(0 < kept[name] < 1 for name in CROSSED)
    every = np.arange(world.catalog.size, dtype=np.int32)
    scores = method.score(world.requests, every, context)
    for row in range(len(world.requests)):
        scores[row, world.requests.exclude[row]] = -np.inf
    answer = method.query(world.requests, 5, context)  # of all items: 100 x 5 are more than there are
    np.testing.assert_allclose(answer.scores, -np.sort(-scores, 1)[:, :5], rtol=1e-4, atol=1e-5)
    assert answer.work is not None and answer.work.max() <= world.catalog.size


def test_inputs_are_chosen_by_what_they_bring_for_what_they_cost() -> None:
    # costs 10, 10, 30, 60; two fields on either side are free
    importances = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.5, 0.2, 0.9, 0.9])
    costs = [10, 10, 30, 60]
    assert chosen(importances, 2, 2, costs, 0.0) == (0, 1, 2, 3)
    assert chosen(importances, 2, 2, costs, 0.2) == (0, 1, 2, 3, 4, 5)  # .05 and .02 a unit; 30 does not fit into 22
    assert chosen(importances, 2, 2, costs, 0.4) == (0, 1, 2, 3, 4, 6)  # then .03 a unit for 30
    assert chosen(importances, 2, 2, costs, 1.0) == tuple(range(8))


def test_costs_are_of_what_is_computed_for_a_pair() -> None:
    assert cost(0, 64, 128, 100) == 64 + 64 * 128  # a product, and its slice of the first layer
    assert cost(2, 64, 128, 100) == 2 * 8 * 64 + 64 * 128
    assert cost(3, 64, 128, 100) == 2 * 100 * 64 + 64 * 128


def test_attention_looks_at_what_is_there_by_hand() -> None:
    fields = torch.tensor([[[2.0, 0.0], [0.0, 3.0], [0.0, 0.0]]])
    met = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    sides = Sides(fields, met, torch.tensor([[True, True, False]]))
    items = torch.tensor([[[np.sqrt(2) * np.log(3), 0.0], [0.0, 0.0]]], dtype=torch.float32)
    torch.testing.assert_close(crossed(sides, items, 3), torch.tensor([[[0.75, 0.25], [0.5, 0.5]]]))
    torch.testing.assert_close(crossed(sides, torch.ones(1, 1, 2), 0), torch.tensor([[[2.0, 0.0]]]))
    torch.testing.assert_close(crossed(sides, torch.ones(1, 1, 2), 1), torch.tensor([[[0.0, 3.0]]]))
    nothing = Sides(fields, met, torch.zeros(1, 3, dtype=torch.bool))
    assert crossed(nothing, items, 2).abs().max() == 0


def test_slices_kept_once_give_the_score_of_the_whole_first_layer() -> None:
    torch.manual_seed(0)
    users, items, dim, hidden = 3, 2, 4, 8
    explorer = Explorer(users, items, dim, hidden).eval()
    ranker = PreRanker(users, items, dim, hidden, tuple(range(users + items + len(CROSSED)))).eval()
    ranker.load_state_dict({name: explorer.state_dict()[name] for name in ranker.state_dict()})
    with torch.no_grad():
        explorer.excite.weight.zero_()
        explorer.excite.bias.fill_(100.0)  # every input counts 1
        sides = Sides(torch.randn(5, users, dim), torch.randn(5, 6, dim), torch.rand(5, 6) > 0.3)
        fields, base = torch.randn(5, 7, items, dim), torch.randn(5, 7)
        near = fields.sum(2)
        whole = explorer.explored(sides, near, fields, base)
        slices = ranker.item_side(fields.flatten(0, 1)).view(5, 7, hidden)
        torch.testing.assert_close(ranker.scores(sides, near, slices, base), whole, rtol=1e-4, atol=1e-5)
