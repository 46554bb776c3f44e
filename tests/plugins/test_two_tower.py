"""The two-tower method through its hooks."""

import dataclasses
from math import acosh, asinh, exp, log, sqrt
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import Catalog, Context, ParameterError, Ragged, Requests
from bench.testing import check_method
from bench.testing.world import make_world
from bench_neural.encoders import ItemEncoder, ProfileEncoder
from bench_neural.history import PooledHistory
from bench_neural.losses import sampled_softmax
from bench_neural.negatives import Candidates
from bench_neural.users import UserEncoder
from bench_neural.windows import Batch, Windows
from bench_vector.hard import HardNegatives
from bench_vector.hnswlib_index import Hnswlib
from bench_vector.models import MODELS
from bench_vector.parameters import range_temperature
from bench_vector.tower import Towers
from bench_vector.two_tower import TwoTower

SMALL = {"dim": 8, "length": 12, "blocks": 1, "epochs": 2, "negatives": 20}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"encoder": "pooled", "against": "batch", "backend": "hnsw", "m": 4},
        {"against": "drawn", "similarity": "cosine", "temperature": 0.1, "learn_temperature": True},
        {"against": "batch", "correction": "streaming"},
        {"against": "mixed", "correction": "revised"},
        {"loss": "bce", "later": 0.0},
        {"loss": "gbce"},
        {"loss": "bpr", "against": "batch"},
        {"loss": "hinge", "against": "mixed", "similarity": "cosine"},
        {"hard": 2, "hard_from": 3, "hard_to": 20, "hard_weight": 2.0},
        {"hard": 1, "loss": "hinge", "against": "batch", "hard_from": 2},
        {"loss": "hardest", "against": "batch", "similarity": "cosine", "margin": 0.2},
        {"similarity": "hyperbolic"},
        {"mixed_up": 3, "model": "dssm"},
        {"model": "shortcut", "shortcut": "wide", "backend": "hnsw"},
        {"model": "dat", "augment": "last"},
        {"model": "parallel", "similarity": "inner"},
        {"model": "que2search"},
        {"backend": "ivf", "lists": 3, "probes": 3},
        {"factory": "SQ8"},
    ],
    ids=lambda settings: ",".join(map(str, settings.values())) or "default",
)
def test_two_tower_keeps_the_contract(settings: dict[str, object]) -> None:
    check_method(TwoTower, {**SMALL, **settings})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss": "bpr", "against": "catalog"}, "against=catalog is a softmax"),
        ({"correction": "streaming"}, "add against=batch"),
        ({"temperature": -1.0}, "-1 is for similarity=cosine"),
        ({"hard": 1, "hard_from": 9, "hard_to": 8}, "hard_from=9 is after hard_to=8"),
        ({"hard": 1, "against": "catalog"}, "does not go with hard=1"),
        ({"model": "que2search", "against": "catalog"}, "does not go with a second stage"),
        ({"mixed_up": 1, "similarity": "hyperbolic"}, "leave it out of a hyperbolic model"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        TwoTower(**settings)  # type: ignore[arg-type]


def trained(context: Context, **settings: object) -> TwoTower:
    method = TwoTower(**{**SMALL, **settings})  # type: ignore[arg-type]
    world = make_world()
    method.train(world.training, context)
    method.index(world.catalog, context)
    return method


def test_it_learns_which_items_go_together(context: Context) -> None:
    world = make_world()
    method = trained(context, epochs=30, dim=16, learning_rate=3e-3, dropout=0.0)
    # items 0-9, 10-19, ... were met together
    history = Ragged.from_rows([[first, first + 1, first + 2] for first in range(0, 60, 10)])
    requests = Requests(np.arange(6), np.full(6, -1, np.int32), history, Ragged.empty(6))
    answer = method.query(requests, 5, context)
    alike = (answer.ids // 10 == np.arange(6)[:, None]).sum()
    assert alike >= 20  # of 30; by chance 4.5
    assert answer.work is not None and (answer.work == world.catalog.size).all()


@pytest.mark.parametrize("learnt", [False, True])
def test_a_temperature_is_learnt_where_asked(context: Context, learnt: bool) -> None:
    method = trained(context, temperature=0.5, learn_temperature=learnt)
    moved = abs(float(method.towers_.log_temperature.detach().exp()) - 0.5)
    assert moved > 1e-5 if learnt else moved < 1e-7


def test_a_temperature_may_come_from_the_range_of_scores(context: Context) -> None:
    tau = range_temperature(3_401)
    assert exp(1 / tau) / (exp(1 / tau) + 3_400 * exp(-1 / tau)) == pytest.approx(0.99)
    method = trained(context, similarity="cosine", temperature=-1.0, epochs=1)
    known = np.unique(make_world().training.interactions.items).size
    assert float(method.towers_.log_temperature.exp()) == pytest.approx(range_temperature(known))


def test_how_the_vectors_lie_is_kept(context: Context) -> None:
    kept: dict[str, float] = {}

    def keep(name: str, **values: float) -> None:
        assert name == "vectors"
        kept.update(values)

    trained(dataclasses.replace(context, milestone=keep), similarity="cosine", learn_temperature=True, epochs=1)
    assert set(kept) == {"alignment", "uniformity of users", "uniformity of items", "temperature"}
    assert 0 < kept["alignment"] < 4 and -8 < kept["uniformity of items"] < 0 and -8 < kept["uniformity of users"] <= 0
    assert kept["temperature"] == pytest.approx(0.07, rel=0.1)


@pytest.mark.parametrize("similarity", ["inner", "cosine", "hyperbolic"])
def test_exported_vectors_score_as_the_model_does(context: Context, similarity: str) -> None:
    world = make_world()
    method = trained(context, similarity=similarity)
    towers = method.towers_.eval()
    items = towers.items()
    expected = (towers.requests(world.requests, items.embeddings) @ items.vectors.T).amax(1)
    scores = method.score(world.requests, np.arange(world.catalog.size, dtype=np.int32), context)
    np.testing.assert_allclose(scores, expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    if similarity == "cosine":
        assert np.abs(scores).max() <= 1 + 1e-5


@pytest.mark.parametrize("model", MODELS)
def test_each_model_scores_alike_before_and_after_it_is_saved(context: Context, tmp_path: Path, model: str) -> None:
    world = make_world()
    method = trained(context, model=model, epochs=1, backend="hnsw")
    again = TwoTower(**{**SMALL, "model": model, "backend": "hnsw"})  # type: ignore[arg-type]
    for phase in ("train", "index"):
        (tmp_path / phase).mkdir()
        method.save(tmp_path / phase, phase)
        again.load(tmp_path / phase, phase, context)
    every = np.arange(world.catalog.size, dtype=np.int32)
    scores = again.score(world.requests, every, context)
    np.testing.assert_array_equal(method.score(world.requests, every, context), scores)
    answer = again.query(world.requests, 5, context)
    met = np.take_along_axis(scores, answer.ids.astype(np.int64), 1)
    np.testing.assert_allclose(met, answer.scores, rtol=1e-5, atol=1e-5)  # what the index holds is what is scored


def test_hyperbolic_scores_are_distances_on_the_hyperboloid() -> None:
    towers = trained_nothing("hyperbolic")
    points = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    users, items = towers.compared_users(points), towers.compared_items(points, None)
    away = -towers.scored(users @ items.T)
    assert float(away[0, 1]) == pytest.approx(asinh(5), abs=1e-5)  # from the origin: sinh d = |x|
    assert away.diagonal().tolist() == pytest.approx([0, 0], abs=2e-3)
    # a third point: cosh d = x0 y0 - x.y
    third = torch.tensor([[1.0, 0.0]])
    met = -towers.scored(towers.compared_users(third) @ items.T)
    assert float(met[0, 1]) == pytest.approx(acosh(sqrt(2) * sqrt(26) - 3), abs=1e-5)


def trained_nothing(similarity: str) -> Towers:
    items = ItemEncoder(Catalog(0), np.zeros(0, bool), 2)
    return Towers(items, UserEncoder(ProfileEncoder({}, 2), PooledHistory(2), 2, 3), None, similarity)


def test_ef_is_a_matter_of_the_query_and_survives_loading(context: Context, tmp_path: Path) -> None:
    method = trained(context, backend="hnsw", ef=37)
    for phase in ("train", "index"):
        (tmp_path / phase).mkdir()
        method.save(tmp_path / phase, phase)
    again = TwoTower(**{**SMALL, "backend": "hnsw", "ef": 41})  # type: ignore[arg-type]
    for phase in ("train", "index"):
        again.load(tmp_path / phase, phase, context)
    again.query(make_world().requests, 5, context)
    assert isinstance(again.index_, Hnswlib) and again.index_.index.ef == 41


def test_hard_negatives_are_of_the_ranks_asked_for_and_nothing_that_was_met(context: Context) -> None:
    world = make_world()
    method = trained(context, length=60)
    towers, met = method.towers_.eval(), world.training.interactions.by_user
    windows = Windows(world.training.interactions, 60, 0.0, 8, torch.Generator().manual_seed(0))
    hard = HardNegatives(len(met), 400, 3, 6)
    with torch.inference_mode():
        towers.encoder.bind(world.training.catalog)
        hard.mine(towers, windows)
        items = towers.items()
        for user in np.flatnonzero(met.lengths)[:10]:
            drawn = set(hard.drawn[user].tolist())
            ranks = set()
            for cut in range(len(met[user])):  # one of these moments it was
                before = torch.from_numpy(met[user][None, :cut].astype(np.int64))
                none = torch.zeros(1, cut + 1, dtype=torch.int64)
                now = torch.arange(cut + 1)[None] == cut
                batch = Batch(torch.tensor([user]), before, none, none)
                asked = towers.windows(batch, items.embeddings[before], now)[:, 0]
                scores = (asked @ items.vectors.T)[0]
                scores[torch.from_numpy(met[user].astype(np.int64))] = -torch.inf
                ranks.add(frozenset(scores.argsort(descending=True)[2:6].tolist()))
            assert drawn in ranks and not drawn & set(met[user].tolist())


def test_a_hard_negative_counts_as_so_many_drawn_ones() -> None:
    drawn = Candidates(torch.tensor([4]), torch.tensor([1]), torch.tensor([0.0])).joined(2, 3.0)
    assert drawn.times.tolist() == [1, 3, 3] and drawn.log_q.tolist() == pytest.approx([0, -log(3), -log(3)])
    scores, blocked = torch.tensor([[0.5, 1.0, 2.0]]), torch.zeros(1, 3, dtype=torch.bool)
    value = sampled_softmax(torch.tensor([1.5]), scores, torch.zeros(1), drawn.log_q, blocked)
    total = exp(1.5) + exp(0.5) + 3 * exp(1.0) + 3 * exp(2.0)
    assert float(value) == pytest.approx(log(total) - 1.5, abs=1e-6)
