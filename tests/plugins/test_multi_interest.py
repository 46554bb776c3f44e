"""MIND, ComiRec and what they are made of."""

from math import log

import numpy as np
import pytest
import torch

from bench import Context
from bench.testing import check_method
from bench.testing.world import make_world
from bench_neural.encoders import ItemEncoder, ProfileEncoder
from bench_neural.users import UserEncoder
from bench_vector.diversity import diverse
from bench_vector.interests import DynamicRouting, InterestTowers, SelfAttention, squashed
from bench_vector.multi_interest import ComiRec, Mind

SMALL = {"dim": 8, "length": 12, "epochs": 2, "negatives": 20, "interests": 3}


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (Mind, {}),
        (Mind, {"against": "batch", "backend": "hnsw", "m": 4, "adaptive": False}),
        (ComiRec, {}),
        (ComiRec, {"extractor": "routing", "similarity": "cosine"}),
        (ComiRec, {"diversity": 0.5, "hard": 2, "hard_from": 3, "hard_to": 20}),
    ],
)
def test_several_interests_keep_the_contract(method: type, settings: dict[str, object]) -> None:
    check_method(method, {**SMALL, **settings})


@pytest.mark.parametrize("method", [Mind, ComiRec])
def test_the_merged_answer_is_that_of_all_scores(context: Context, method: type) -> None:
    world = make_world()
    trained = method(**SMALL)
    trained.train(world.training, context)
    trained.index(world.catalog, context)
    every = np.arange(world.catalog.size, dtype=np.int32)
    scores = trained.score(world.requests, every, context)
    for row, excluded in enumerate(world.requests.exclude[at] for at in range(len(world.requests))):
        scores[row, excluded] = -np.inf
    answer = trained.query(world.requests, 10, context)
    np.testing.assert_allclose(answer.scores, -np.sort(-scores, 1)[:, :10], rtol=1e-5)
    towers = trained.towers_
    users = towers.requests(world.requests, trained.items_.embeddings)
    assert users.shape[1] == 3 and (users[:, 0] - users[:, 1]).abs().max() > 1e-3  # interests differ


def test_attention_gives_each_interest_its_own_mean_of_the_behaviours() -> None:
    extractor = SelfAttention(2, 3, 2)
    with torch.no_grad():
        extractor.places.zero_()
        extractor.hidden.weight.zero_()
        extractor.hidden.weight[0, 0] = 100.0  # tanh: 1 where the first number is above 0, -1 below
        extractor.choose.weight.zero_()
        extractor.choose.weight[1, 0] = log(3) / 2
    met = torch.tensor([[[1.0, 0.0], [-1.0, 4.0], [9.0, 9.0]], [[9.0, 9.0], [9.0, 9.0], [9.0, 9.0]]])
    found = extractor(met, torch.tensor([[True, True, False], [False, False, False]]))
    # the first interest sees both alike, the second the first three times as much as the other
    torch.testing.assert_close(found[0], torch.tensor([[0.0, 2.0], [0.5, 1.0]]), rtol=1e-4, atol=1e-5)
    assert found[1].abs().max() == 0


def test_routing_follows_the_paper_step_by_step() -> None:
    extractor = DynamicRouting(2, 2, 2, 1, rounds=2)
    with torch.no_grad():
        extractor.maps.copy_(torch.eye(2)[None])
        extractor.logits.copy_(torch.tensor([[0.0, log(3)], [0.0, 0.0]]))
    met = torch.tensor([[[2.0, 0.0], [0.0, 1.0]]])
    first = np.array([[0.25 * 2, 0.5], [0.75 * 2, 0.5]])  # z of each capsule

    def squash(z: np.ndarray) -> np.ndarray:
        square = (z**2).sum(1, keepdims=True)
        return z * square / (1 + square) / np.sqrt(square)

    logits = np.array([[0.0, np.log(3)], [0.0, 0.0]]) + met[0].numpy() @ squash(first).T
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = squash(shares.T @ met[0].numpy()) * np.sqrt(2)
    found = extractor(met, torch.tensor([[True, True]]))
    np.testing.assert_allclose(found[0].detach().numpy(), expected, rtol=1e-4)
    assert float(squashed(torch.tensor([3.0, 4.0])).norm()) == pytest.approx(25 / 26, rel=1e-5)


def test_a_short_history_has_few_interests() -> None:
    torch.manual_seed(0)
    items = ItemEncoder(make_world().training.catalog, np.ones(60, bool), 4)
    users = UserEncoder(ProfileEncoder({}, 4), None, 4, 9)
    towers = InterestTowers(items, users, None, "inner", DynamicRouting(4, 9, 4, 1, 3), adaptive=True).eval()
    chosen = torch.eye(9, 10, dtype=torch.bool)[torch.tensor([1, 3, 4, 8])]
    codes, weights = torch.zeros(4, 1, dtype=torch.int32), torch.zeros(4, 1)
    found = towers.asked(torch.randn(4, 9, 4), codes, weights, chosen)
    distinct = [len({tuple(one) for one in row.tolist()}) for row in found]
    assert distinct == [1, 1, 2, 3]  # log2 of 1, 3, 4 and 8


def test_the_best_interest_learns_or_all_by_how_well_they_fit() -> None:
    users = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    target = torch.tensor([[0.0, log(3)]])
    items = ItemEncoder(make_world().training.catalog, np.ones(60, bool), 2)
    encoder = UserEncoder(ProfileEncoder({}, 2), None, 2, 9)
    extractor = SelfAttention(2, 9, 2)
    alone = InterestTowers(items, encoder, None, "inner", extractor).focused(users, target)
    assert alone.tolist() == [[0.0, 1.0]]
    shared = InterestTowers(items, encoder, None, "inner", extractor, power=1.0).focused(users, target)
    torch.testing.assert_close(shared, torch.tensor([[0.25, 0.75]]))


def test_diversity_chooses_greedily_by_hand() -> None:
    ids = np.array([[5, 6, 7, 8], [3, -1, -1, -1]], np.int32)
    scores = np.array([[4.0, 3.5, 3.0, 1.0], [1.0, 0, 0, 0]], np.float32)
    categories = np.array([[1, 1, 2, 3], [1, 0, 0, 0]])

    def chosen(weight: float) -> list[list[int]]:
        kept = diverse(ids, scores, categories, 3, weight)
        return [row[keep].tolist() for row, keep in zip(ids, kept, strict=True)]

    assert chosen(0.0) == [[5, 6, 7], [3]]
    assert chosen(1.0)[0] == [5, 6, 7]  # 7 (3 + 1) before 6 (3.5), then 6 (3.5 + 1, for 7) before 8 (1 + 2)
    assert chosen(2.0)[0] == [5, 6, 7]  # 6 (3.5 + 2) before 8 (1 + 4)
    assert chosen(3.0)[0] == [5, 7, 8]  # 8 (1 + 6) before 6 (3.5 + 3)
