"""How often negatives are drawn, and what that is corrected by."""

from math import log

import numpy as np
import pytest
import torch

from bench_neural.losses import sampled_softmax
from bench_neural.negatives import NegativeSampler, StreamingFrequency, in_batch, mixed, owned

COUNTS = np.array([100, 0, 10, 1])


def sampler(power: float, uniform: float) -> NegativeSampler:
    return NegativeSampler(COUNTS, torch.Generator().manual_seed(0), power, uniform)


@pytest.mark.parametrize(
    ("power", "uniform", "expected"),
    [
        (1.0, 0.0, [100 / 111, 0, 10 / 111, 1 / 111]),
        (0.5, 0.0, [10 / 14.16228, 0, 3.16228 / 14.16228, 1 / 14.16228]),
        (1.0, 1.0, [1 / 3, 0, 1 / 3, 1 / 3]),
        (1.0, 0.5, [0.5 * 100 / 111 + 1 / 6, 0, 0.5 * 10 / 111 + 1 / 6, 0.5 / 111 + 1 / 6]),
    ],
)
def test_items_are_drawn_by_the_mixture(power: float, uniform: float, expected: list[float]) -> None:
    drawn = sampler(power, uniform)
    np.testing.assert_allclose(drawn.log_p.exp(), expected, rtol=1e-4)
    candidates = drawn.draw(20_000)
    times = torch.exp(drawn.log_q(candidates.ids, 20_000) - candidates.log_q)
    np.testing.assert_allclose(times / 20_000, np.array(expected)[candidates.ids], atol=0.02)
    assert times.sum() == pytest.approx(20_000, rel=1e-5)


def test_items_without_interactions_are_never_drawn() -> None:
    assert 1 not in sampler(0.0, 1.0).draw(5000).ids


def test_in_batch_candidates_count_as_often_as_they_stand_there() -> None:
    candidates = in_batch(torch.tensor([2, 0, 0, 3]), sampler(1.0, 0.0))
    assert candidates.ids.tolist() == [0, 2, 3]
    # expected 4 p, met 2, 1 and 1 times
    np.testing.assert_allclose(candidates.log_q, [log(400 / 111 / 2), log(40 / 111), log(4 / 111)], rtol=1e-5)


def test_mixed_candidates_come_in_two_ways() -> None:
    uniform = sampler(0.0, 1.0)
    again = sampler(0.0, 1.0).draw(6)
    candidates = mixed(torch.tensor([0, 0, 3]), sampler(1.0, 0.0), uniform, 6)
    drawn = dict(zip(again.ids.tolist(), again.times.tolist(), strict=True))
    assert candidates.ids.tolist() == sorted({0, 3, *drawn})
    times = [drawn.get(item, 0) + {0: 2, 3: 1}.get(item, 0) for item in candidates.ids.tolist()]
    assert candidates.times.tolist() == times and sum(times) == 9
    expected = [3 * COUNTS[item] / 111 + 6 / 3 for item in candidates.ids.tolist()]
    np.testing.assert_allclose(candidates.log_q, np.log(np.array(expected) / times), rtol=1e-5)


def test_streaming_frequency_by_hand() -> None:
    streaming = StreamingFrequency(3, rate=0.5, start=10.0)
    for ids in ([0], [0, 1], [0], [0, 1]):
        streaming.meet(torch.tensor(ids))
    # item 0, every batch: 10 -> 5.5 -> 3.25 -> 2.125 -> 1.5625; item 1, batches 2 and 4: 10 -> 6 -> 4
    np.testing.assert_allclose(streaming.log_p(torch.tensor([0, 1, 2])).exp(), [1 / 1.5625, 1 / 4, 1 / 10], rtol=1e-6)


def test_streaming_frequency_finds_how_likely_items_are() -> None:
    streaming, rng = StreamingFrequency(3), np.random.default_rng(0)
    chances = np.array([0.8, 0.2, 0.02])
    for _ in range(20_000):
        streaming.meet(torch.from_numpy(np.flatnonzero(rng.random(3) < chances)))
    np.testing.assert_allclose(streaming.log_p(torch.arange(3)).exp(), chances, rtol=0.25)


def test_in_batch_softmax_equals_the_sum_over_the_whole_batch_without_a_users_own_targets() -> None:
    targets, user = torch.tensor([2, 0, 0, 3]), torch.tensor([0, 0, 1, 1])
    following = torch.tensor([[2, 0], [0, 3]])
    frequency = sampler(1.0, 0.0)
    log_q = frequency.log_q(targets, 4)
    candidates = in_batch(targets, frequency)
    scores = torch.randn(4, 4, generator=torch.Generator().manual_seed(3))  # (P, items)
    blocked = owned(following, candidates.ids)[user]
    mine = scores[torch.arange(4), targets]
    value = sampled_softmax(mine, scores[:, candidates.ids], log_q, candidates.log_q, blocked)
    expected = 0.0
    for row in range(4):
        logits = scores[row, targets] - log_q  # each of the batch's targets once
        own = set(following[user[row]].tolist())
        others = [float(logits[j].exp()) for j in range(4) if int(targets[j]) not in own]
        positive = float(logits[row].exp())
        expected -= log(positive / (positive + sum(others))) / 4
    assert float(value) == pytest.approx(expected, rel=1e-5)


def test_owned_marks_the_items_of_each_window() -> None:
    following = torch.tensor([[5, 7, -1], [9, 5, 1]])
    assert owned(following, torch.tensor([1, 5, 8])).tolist() == [[False, True, False], [True, True, False]]
