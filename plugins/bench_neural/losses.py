"""Losses over scores, each a mean over moments. Temperature first, then the correction: s / tau - log q.

P moments are learnt from at once; N items in the catalog; S shared candidates (negatives) a batch. Everything stays
two-dimensional: on a CPU the same formula over (B, L, N) takes five times as long.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_BLOCK = 1 << 20  # scores held at once by full_softmax, small enough for the processor's cache


def full_softmax(states: Tensor, vectors: Tensor, target_scores: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """Cross-entropy over the whole catalog: mean of log sum_j exp(s_j / tau) - s_target / tau.

    states (P, d); vectors (N, d); target_scores (P,): s of each moment's target, or the mean s over several targets.
    Holds 2^20 scores at a time whatever P and N, because the gradient is formed block by block on the way forward.
    """
    normaliser: Tensor = _LogNormaliser.apply(states / temperature, vectors)
    return normaliser - target_scores.mean() / temperature


class _LogNormaliser(torch.autograd.Function):
    """Mean over rows of log sum_j exp(states @ vectors.T)."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, vectors: Tensor) -> Tensor:
        learning = any(ctx.needs_input_grad)
        total = states.new_zeros(())
        grad_states, grad_vectors = torch.empty_like(states), torch.zeros_like(vectors)
        rows = max(1, _BLOCK // max(1, len(vectors)))
        for begin in range(0, len(states), rows):
            block = states[begin : begin + rows]
            scores = block @ vectors.T  # (rows, N)
            highest = scores.amax(1)
            shares = scores.softmax(1)
            total += (highest - shares.amax(1).log()).sum()  # the highest share is exp(highest - log sum exp)
            if learning:
                torch.mm(shares, vectors, out=grad_states[begin : begin + rows])
                grad_vectors.addmm_(shares.T, block)
        ctx.save_for_backward(grad_states, grad_vectors)
        ctx.count = len(states)
        return total / len(states)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        grad_states, grad_vectors = ctx.saved_tensors
        return grad_states * (upstream / ctx.count), grad_vectors * (upstream / ctx.count)


def sampled_softmax(
    target_scores: Tensor,
    candidate_scores: Tensor,
    target_log_q: Tensor,
    candidate_log_q: Tensor,
    blocked: Tensor,
    temperature: float | Tensor = 1.0,
) -> Tensor:
    """Cross-entropy of the target among itself and the drawn candidates, corrected for how often each is drawn.

    target_scores (P,); candidate_scores (P, S); target_log_q (P,) and candidate_log_q (S,): logarithm of the expected
    number of draws of the item in this batch, zeros for no correction. A target is no draw: with a target_log_q of
    zero this is Correcting the LogQ Correction (RecSys 2025): its weight 1 - p(target) and softmax over the candidates
    alone are the gradient of log(1 + sum_c exp(s_c - s_target)). blocked bool (P, S): candidates that are no negatives
    for that row, such as the target itself or another target of the same user.
    """
    target = target_scores / temperature - target_log_q  # (P,)
    candidates = candidate_scores / temperature - candidate_log_q  # (P, S)
    candidates = candidates.masked_fill(blocked, -torch.inf)
    return (torch.logaddexp(target, candidates.logsumexp(1)) - target).mean()


def noise_contrastive(
    target_scores: Tensor,
    candidate_scores: Tensor,
    target_log_q: Tensor,
    candidate_log_q: Tensor,
    blocked: Tensor,
) -> Tensor:
    """Noise-contrastive estimation: each target against the drawn candidates, told apart one by one.

    -log sigmoid(s - log q) of the target, plus -log(1 - sigmoid(s - log q)) of every draw; q is the expected number of
    draws, so that the best score is the logarithm of the probability itself. A candidate drawn c times has the
    candidate_log_q of sampled_softmax, log q - log c, and counts by c softplus(s - log q) ~ softplus(s - log q + log c)
    where that is small, as it is for all but the likeliest items. Shapes as in `sampled_softmax`. Gutmann and
    Hyvarinen, AISTATS 2010.
    """
    wanted = functional.softplus(target_log_q - target_scores)  # (P,)
    unwanted = functional.softplus(candidate_scores - candidate_log_q).masked_fill(blocked, 0.0)  # (P, S)
    return (wanted + unwanted.sum(1)).mean()


def binary_cross_entropy(
    target_scores: Tensor,
    candidate_scores: Tensor,
    weights: Tensor,
    temperature: float | Tensor = 1.0,
    negatives: float = 1.0,
    exponent: float = 1.0,
) -> Tensor:
    """Each target against 1 and `negatives` times the mean of its candidates against 0, divided by how many those are.

    One negative is the expectation of SASRec's loss, that draws one a moment (ICDM 2018). exponent: beta of gBCE, the
    power of the target's probability (gSASRec, RecSys 2023, equation 9; `gbce_exponent` says which). weights (P, S):
    what each candidate counts as a negative of that row, 0 where it is none; other shapes as in `sampled_softmax`.
    """
    wanted = functional.softplus(-target_scores / temperature)  # (P,)
    unwanted = _weighted(functional.softplus(candidate_scores / temperature), weights)  # (P,)
    return ((exponent * wanted + negatives * unwanted) / (1 + negatives)).mean()


def gbce_exponent(negatives: int, items: int, calibration: float) -> float:
    """Beta of gBCE for so many negatives of a catalog of `items`: 1 with calibration t = 0, which is plain
    cross-entropy; the sampling rate a = negatives / (items - 1) with t = 1, where scores are calibrated.

    beta = a (t (1 - 1 / a) + 1 / a) (gSASRec, equation 11)."""
    rate = min(1.0, negatives / max(1, items - 1))
    return rate * (calibration * (1 - 1 / rate) + 1 / rate)


def pairwise_logistic(
    target_scores: Tensor, candidate_scores: Tensor, weights: Tensor, temperature: float | Tensor = 1.0
) -> Tensor:
    """Bayesian personalised ranking: -log sigmoid((s_target - s_candidate) / tau), the mean over candidates (Rendle et
    al., UAI 2009); shapes as in `binary_cross_entropy`."""
    behind = (candidate_scores - target_scores[:, None]) / temperature
    return _weighted(functional.softplus(behind), weights).mean()


def hinge(
    target_scores: Tensor, candidate_scores: Tensor, weights: Tensor, margin: float, temperature: float | Tensor = 1.0
) -> Tensor:
    """max(0, margin - (s_target - s_candidate) / tau), the mean over candidates (the triplet loss of Embedding-based
    Retrieval in Facebook Search, KDD 2020, equation 1); shapes as in `binary_cross_entropy`."""
    behind = (candidate_scores - target_scores[:, None]) / temperature
    return _weighted((margin + behind).relu(), weights).mean()


def _weighted(terms: Tensor, weights: Tensor) -> Tensor:
    """The mean (P,) of a row's terms (P, S) by their weights; 0 where all are 0."""
    total = weights.sum(1)
    return (terms * weights).sum(1) / torch.where(total > 0, total, 1.0)
