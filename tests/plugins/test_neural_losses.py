"""Losses against sums worked by hand and against torch's own."""

from math import exp, log

import pytest
import torch
from torch.nn import functional

from bench_neural.losses import (
    binary_cross_entropy,
    full_softmax,
    gbce_exponent,
    hinge,
    noise_contrastive,
    pairwise_logistic,
    sampled_softmax,
)


def test_full_softmax_by_hand() -> None:
    # scores 1 * (2, 0, -2) / tau 2 = (1, 0, -1), target the first: log(e + 1 + 1/e) - 1
    states, vectors = torch.tensor([[1.0]]), torch.tensor([[2.0], [0.0], [-2.0]])
    value = full_softmax(states, vectors, torch.tensor([2.0]), temperature=2.0)
    assert float(value) == pytest.approx(log(exp(1) + 1 + exp(-1)) - 1, abs=1e-6)


def test_full_softmax_has_the_value_and_gradients_of_cross_entropy_over_many_blocks() -> None:
    torch.manual_seed(1)
    states, vectors = torch.randn(700, 8, requires_grad=True), torch.randn(3000, 8, requires_grad=True)
    targets = torch.randint(0, 3000, (700,))
    ours = full_softmax(states, vectors, (states * vectors[targets]).sum(1), 0.5)
    theirs = functional.cross_entropy(states @ vectors.T / 0.5, targets)
    torch.testing.assert_close(ours, theirs)
    for one, other in zip(*(torch.autograd.grad(v, (states, vectors)) for v in (ours, theirs)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_sampled_softmax_by_hand_divides_by_the_temperature_before_it_subtracts_log_q() -> None:
    # target 3 / .5 - log 2 = 6 - log 2; candidates 1 / .5 - log .5 = 2 + log 2, and one that is blocked
    value = sampled_softmax(
        target_scores=torch.tensor([3.0]),
        candidate_scores=torch.tensor([[1.0, 9.0]]),
        target_log_q=torch.tensor([log(2)]),
        candidate_log_q=torch.tensor([log(0.5), 0.0]),
        blocked=torch.tensor([[False, True]]),
        temperature=0.5,
    )
    target, candidate = exp(6) / 2, exp(2) * 2
    assert float(value) == pytest.approx(-log(target / (target + candidate)), abs=1e-6)


def test_sampled_softmax_over_every_item_once_is_the_full_softmax() -> None:
    torch.manual_seed(0)
    states, vectors, targets = torch.randn(5, 4), torch.randn(20, 4), torch.arange(5)
    scores = states @ vectors.T
    zeros = torch.zeros(20)
    target_scores = scores[torch.arange(5), targets]
    value = sampled_softmax(target_scores, scores, zeros[:5], zeros, torch.arange(20) == targets[:, None])
    torch.testing.assert_close(value, functional.cross_entropy(scores, targets))


def test_a_row_whose_candidates_are_all_blocked_loses_nothing() -> None:
    scores = torch.randn(2, 3, requires_grad=True)
    value = sampled_softmax(torch.randn(2), scores, torch.zeros(2), torch.zeros(3), torch.ones(2, 3, dtype=torch.bool))
    value.backward()
    assert float(value.detach()) == 0 and torch.isfinite(scores.grad).all()


def test_binary_cross_entropy_by_hand() -> None:
    # target -log sigmoid(2 / 2); candidates -log(1 - sigmoid(0)), the other one is no negative; halved: two sigmoids
    value = binary_cross_entropy(torch.tensor([2.0]), torch.tensor([[0.0, 5.0]]), torch.tensor([[3, 0]]), 2.0)
    assert float(value) == pytest.approx((log(1 + exp(-1)) + log(2)) / 2, abs=1e-6)


def test_gbce_by_hand() -> None:
    # 1/4 of four negatives; the target's sigmoid to the power of beta; negatives: the mean of log 2 twice, log(1 + e)
    value = binary_cross_entropy(
        torch.tensor([1.0]), torch.tensor([[0.0, 1.0]]), torch.tensor([[2, 1]]), negatives=3.0, exponent=0.25
    )
    expected = (0.25 * log(1 + exp(-1)) + 2 * log(2) + log(1 + exp(1))) / 4
    assert float(value) == pytest.approx(expected, abs=1e-6)


def test_the_exponent_of_gbce_runs_from_one_to_the_sampling_rate() -> None:
    assert gbce_exponent(10, 101, 0.0) == pytest.approx(1.0)
    assert gbce_exponent(10, 101, 1.0) == pytest.approx(0.1)
    assert gbce_exponent(10, 101, 0.75) == pytest.approx(0.1 * (0.75 * (1 - 10) + 10)) == pytest.approx(0.325)
    assert gbce_exponent(500, 101, 0.3) == pytest.approx(1.0)  # every item is drawn


def test_gbce_with_full_calibration_learns_probabilities() -> None:
    # an item that is the target in a share p of the moments, and else of two even draws of the 5 - 1 others
    chance, negatives, items = 0.3, 2, 5
    score = torch.zeros(1, requires_grad=True)
    exponent = gbce_exponent(negatives, items, 1.0)
    optimiser = torch.optim.LBFGS([score], max_iter=50)

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        wanted = chance * exponent * functional.softplus(-score)
        drawn = (1 - chance) * negatives / (items - 1) * functional.softplus(score)
        (wanted + drawn).sum().backward()
        return wanted + drawn

    optimiser.step(step)
    assert float(score.detach().sigmoid()) == pytest.approx(chance, abs=1e-3)


def test_pairwise_losses_by_hand() -> None:
    target, others = torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 3.0, 9.0], [1.0, 0.0, 2.0]])
    weights = torch.tensor([[1, 3, 0], [0, 0, 0]])  # the second row has no negatives
    # (s_other - s_target) / 2 = -.5 once and 1 three times
    logistic = (log(1 + exp(-0.5)) + 3 * log(1 + exp(1))) / 4
    assert float(pairwise_logistic(target, others, weights, 2.0)) == pytest.approx(logistic / 2, abs=1e-6)
    ranked = ((0.7 - 0.5) + 3 * (0.7 + 1)) / 4
    assert float(hinge(target, others, weights, 0.7, 2.0)) == pytest.approx(ranked / 2, abs=1e-6)
    assert float(hinge(target, others, weights, 0.2, 2.0)) == pytest.approx(3 * 1.2 / 4 / 2, abs=1e-6)


def test_a_softmax_whose_target_is_not_corrected_has_the_gradient_of_the_full_one() -> None:
    """Correcting the LogQ Correction: over every item's expected draws the gradient is that of all items; corrected at
    the target too, as usual, it is another."""
    torch.manual_seed(2)
    scores = torch.randn(1, 6, dtype=torch.float64)
    target, log_q = 2, torch.randn(6, dtype=torch.float64)

    def gradient(own: torch.Tensor) -> torch.Tensor:
        free = scores.clone().requires_grad_()
        # each candidate as often as it is expected: its exp(s - log q) times q
        value = sampled_softmax(free[:, target], free + log_q, own, log_q, torch.arange(6)[None] == target)
        return torch.autograd.grad(value, free)[0]

    full = scores.softmax(1) - functional.one_hot(torch.tensor([target]), 6)
    torch.testing.assert_close(gradient(torch.zeros(1, dtype=torch.float64)), full)
    assert not torch.allclose(gradient(log_q[[target]]), full, atol=1e-2)


def test_noise_contrastive_by_hand() -> None:
    # target 1 - log 2 against draws 0 - log .5 and one that is blocked: each told apart from noise by a sigmoid
    value = noise_contrastive(
        torch.tensor([1.0]),
        torch.tensor([[0.0, 5.0]]),
        torch.tensor([log(2)]),
        torch.tensor([log(0.5), 0.0]),
        torch.tensor([[False, True]]),
    )
    assert float(value) == pytest.approx(log(1 + 2 * exp(-1)) + log(1 + 2), abs=1e-6)


def test_noise_contrastive_learns_log_probabilities() -> None:
    # three items of chances .6, .3, .1, eight even draws each: the scores that minimise the mean loss are log p
    chances = torch.tensor([0.6, 0.3, 0.1])
    scores = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.LBFGS([scores], max_iter=50)
    log_q = torch.full((3,), log(8 / 3))

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        wanted = sum(
            p
            * noise_contrastive(
                s[None], torch.zeros(1, 0), q[None], torch.zeros(0), torch.zeros(1, 0, dtype=torch.bool)
            )
            for p, s, q in zip(chances, scores, log_q, strict=True)
        )
        noise = functional.softplus(scores - log_q).sum() * 8 / 3
        (wanted + noise).backward()
        return wanted + noise

    optimiser.step(step)
    torch.testing.assert_close(scores.detach(), chances.log(), atol=1e-3, rtol=0)
