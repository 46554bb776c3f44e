"""Losses against sums worked by hand and against torch's own."""

from math import exp, log

import pytest
import torch
from torch.nn import functional

from bench_neural.losses import binary_cross_entropy, full_softmax, noise_contrastive, sampled_softmax


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
    # target -log sigmoid(2 / 2); candidates -log(1 - sigmoid(0)), the other one is blocked
    value = binary_cross_entropy(
        torch.tensor([2.0]), torch.tensor([[0.0, 5.0]]), torch.tensor([[False, True]]), temperature=2.0
    )
    assert float(value) == pytest.approx(log(1 + exp(-1)) + log(2), abs=1e-6)


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
