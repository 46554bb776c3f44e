"""The scorers: what is prepared once gives what the formulas give, pair by pair."""

import math

import pytest
import torch

from bench import ParameterError
from bench_neural.attention import TargetAttention, WindowedAttention
from bench_neural.scorers import DNN, InnerProduct, MixtureOfLogits, MultiInterest, joined, scorer_of

NAMES = ("inner", "interests", "mol", "dnn", "attention", "windows")
AGES = torch.tensor([[5, 4, 3, 2, 1], [2, 1, 0, -1, -2], [0, -1, -2, -3, -4]])
KNOWN = ([0, 1, 2, 3, 4], [0, 1], [])  # the behaviours that there are, by AGES


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(*shape, generator=generator) for shape in ((3, 8), (3, 5, 16), (7, 9)))


def scorer(name):
    torch.manual_seed(1)
    made = scorer_of(name, dim=8, behaviours=5, hidden=12, interests=3)
    for weights in made.parameters():
        torch.nn.init.normal_(weights, std=0.4)
    return made.eval()


def mlp(scorer, first):
    return scorer.last(scorer.third(scorer.second(first.relu()).relu()).relu())[0]


def formula(scorer, state, behaviours, known, ages, vector):
    """The score of one item for one request, as the docstrings give it."""
    x, bias = vector[:-1], vector[-1]
    inner = state @ x + bias
    if isinstance(scorer, WindowedAttention):
        first = scorer.user(state) + scorer.item(x)
        for window, theirs in enumerate(([1], [2], [3], [4, 5])):  # the ages in each
            met = [at for at in known if int(ages[at]) in theirs]
            keys = [scorer.akin(behaviours[at]) + scorer.key(behaviours[at]) for at in met]
            if met:
                weights = torch.softmax(torch.stack([key @ x for key in keys]) + scorer.age[ages[met]], 0)
                first = first + (weights @ behaviours[met]) @ scorer.slices[window]
        return inner + mlp(scorer, first)
    if isinstance(scorer, TargetAttention):
        logits, values = [scorer.age[0]], [scorer.empty]
        for at in known:
            key = scorer.akin(behaviours[at]) + scorer.key(behaviours[at])
            logits.append(key @ x + scorer.age[ages[at]])
            values.append(scorer.value(behaviours[at]))
        weights = torch.softmax(torch.stack(logits), 0)
        first = scorer.user(state) + weights @ torch.stack(values) + scorer.item(x)
        return inner + mlp(scorer, first) + scorer.evidence * torch.stack(logits).exp().sum().log()
    if isinstance(scorer, DNN):
        return inner + mlp(scorer, scorer.user(state) + scorer.item(x))
    if isinstance(scorer, MultiInterest):
        if not known:
            return inner
        logits = torch.stack([scorer.choose(torch.tanh(scorer.hidden(behaviours[at]))) for at in known])
        weights = torch.softmax(logits + scorer.age[ages[known]], 0)  # (n, K)
        values = torch.stack([scorer.value(behaviours[at]) for at in known])
        return torch.stack([inner, *((weights.T @ values) @ x + bias)]).max()
    if isinstance(scorer, MixtureOfLogits):
        user, item = scorer.user(state).view(3, 8), scorer.item(x).view(3, 8)
        cosines = torch.cosine_similarity(user, item)
        gates = scorer.user_gate(state) + scorer.item_gate(x) + scorer.cross(cosines)
        return (torch.softmax(gates, 0) * cosines * scorer.scale.exp()).sum() + bias
    return inner


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_prepared_parts_give_the_formulas_score(name, inputs):
    state, behaviours, vectors = inputs
    made = scorer(name)
    scores = made.block(made.asked(state, made.met(behaviours), AGES), made.items(vectors))
    assert scores.shape == (3, 7) and made.items(vectors).shape == (7, made.width)
    for row, known in enumerate(KNOWN):
        for column in range(7):
            expected = formula(made, state[row], behaviours[row], known, AGES[row], vectors[column])
            torch.testing.assert_close(scores[row, column], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_pairs_are_scored_as_blocks_are(name, inputs):
    state, behaviours, vectors = inputs
    made = scorer(name)
    asked, items = made.asked(state, made.met(behaviours), AGES), made.items(vectors)
    chosen = torch.tensor([[0, 3], [6, 6], [2, 1]])
    expected = made.block(asked, items).gather(1, chosen)
    torch.testing.assert_close(made.pairs(asked, items[chosen]), expected)
    halves = joined([asked.rows(0, 1), asked.rows(1, 3)])
    torch.testing.assert_close(made.pairs(halves, items[chosen]), expected)


@pytest.mark.parametrize("name", NAMES[1:])
def test_every_weight_learns(name, inputs):
    state, behaviours, vectors = inputs
    made = scorer(name)
    made.block(made.asked(state, made.met(behaviours), AGES), made.items(vectors)).square().sum().backward()
    assert all(weights.grad is not None and weights.grad.abs().sum() > 0 for weights in made.parameters())


@pytest.mark.parametrize("name", ["interests", "attention", "windows"])
@torch.inference_mode()
def test_behaviours_beyond_the_window_do_not_matter(name, inputs):
    state, behaviours, vectors = inputs
    made = scorer(name)
    older = torch.cat([torch.randn(3, 2, 16), behaviours], 1)
    older_ages = torch.cat([torch.tensor([[7, 6], [0, 0], [0, 0]]), AGES], 1)
    expected = made.block(made.asked(state, made.met(behaviours), AGES), made.items(vectors))
    torch.testing.assert_close(
        made.block(made.asked(state, made.met(older), older_ages), made.items(vectors)), expected
    )


@torch.inference_mode()
def test_scores_stay_finite_for_long_vectors(inputs):
    state, behaviours, vectors = inputs
    made = scorer("attention")
    scores = made.block(made.asked(50 * state, made.met(50 * behaviours), AGES), made.items(50 * vectors))
    assert scores.isfinite().all()


@torch.inference_mode()
def test_an_untrained_dnn_is_nearly_the_inner_product():
    made = DNN(dim=8)
    state, vectors = torch.randn(2, 8), torch.randn(5, 9)
    asked = made.asked(state, made.met(torch.zeros(2, 0, 16)), torch.zeros(2, 0, dtype=torch.long))
    expected = state @ vectors[:, :8].T + vectors[:, 8]
    torch.testing.assert_close(made.block(asked, made.items(vectors)), expected, atol=0.3, rtol=0)


@torch.inference_mode()
def test_an_untrained_attention_finds_what_shares_a_feature_with_a_behaviour():
    made = TargetAttention(dim=64, behaviours=2)
    features = torch.randn(3, 64, generator=torch.Generator().manual_seed(0)) / 32  # of length 1 / 4, as in encoders
    vectors = torch.cat([features, torch.zeros(3, 1)], 1)
    met = made.met(torch.cat([features[:1], torch.zeros(1, 64)], 1)[None])
    asked = made.asked(torch.zeros(1, 64), met, torch.ones(1, 1).long())
    same, *others = made.block(asked, made.items(vectors))[0].tolist()
    assert same > max(others) + math.log(5)


def test_flops_count_the_products():
    assert InnerProduct(8).flops == 18
    assert DNN(8, 16).flops == 18 + 2 * (16 * 8 + 8 * 4 + 4)
    assert TargetAttention(8, 16, 5).flops == DNN(8, 16).flops + 2 * 6 * (10 + 16)


def test_another_name_is_refused():
    with pytest.raises(ParameterError, match="scorer='cosine' is none of"):
        scorer_of("cosine", 8, 5, 12, 3)
