"""The scorer with target attention: what is prepared once gives what a plain computation gives."""

import pytest
import torch

from bench_neural.scorers import TargetAttentionScorer


@pytest.fixture
def prepared():
    torch.manual_seed(0)
    scorer = TargetAttentionScorer(dim=8, attention=4, hidden=6, behaviours=5)
    for weights in scorer.parameters():
        torch.nn.init.normal_(weights)
    state, behaviours, vectors = torch.randn(3, 8), torch.randn(3, 5, 8), torch.randn(7, 9)
    ages = torch.tensor([[5, 4, 3, 2, 1], [2, 1, 0, -1, -2], [0, -1, -2, -3, -4]])
    return scorer, state, behaviours, ages, vectors


def plain(scorer, state, behaviours, vector):
    """The score of one item for one request, by the formula; behaviours oldest first."""
    vector, bias = vector[:-1], vector[-1]
    scores, values = [scorer.age[0] + scorer.empty_key @ scorer.query(vector) / 2], [scorer.empty_value]
    for age, behaviour in zip(range(len(behaviours), 0, -1), behaviours, strict=True):
        scores.append(scorer.age[age] + scorer.key(behaviour) @ scorer.query(vector) / 2)
        values.append(scorer.value(behaviour))
    weights = torch.softmax(torch.stack(scores), 0)
    hidden = weights @ torch.stack(values) + scorer.user(state) + scorer.item(vector)
    return state @ vector + bias + scorer.last(scorer.network(hidden))[0]


def test_prepared_parts_give_the_formulas_score(prepared):
    scorer, state, behaviours, ages, vectors = prepared
    with torch.inference_mode():
        scores = scorer.block(scorer.asked(state, behaviours, ages), scorer.items(vectors))
        for row, length in enumerate((5, 2, 0)):
            for column in range(7):
                expected = plain(scorer, state[row], behaviours[row, :length], vectors[column])
                torch.testing.assert_close(scores[row, column], expected)


def test_pairs_are_scored_as_blocks_are(prepared):
    scorer, state, behaviours, ages, vectors = prepared
    with torch.inference_mode():
        asked, items = scorer.asked(state, behaviours, ages), scorer.items(vectors)
        chosen = torch.tensor([[0, 3], [6, 6], [2, 1]])
        torch.testing.assert_close(scorer.pairs(asked, items[chosen]), scorer.block(asked, items).gather(1, chosen))


def test_behaviours_beyond_the_window_do_not_matter(prepared):
    scorer, state, behaviours, ages, vectors = prepared
    older = torch.cat([torch.randn(3, 2, 8), behaviours], 1)
    older_ages = torch.cat([torch.tensor([[7, 6], [0, 0], [0, 0]]), ages], 1)
    with torch.inference_mode():
        items = scorer.items(vectors)
        expected = scorer.block(scorer.asked(state, behaviours, ages), items)
        torch.testing.assert_close(scorer.block(scorer.asked(state, older, older_ages), items), expected)


def test_an_untrained_scorer_is_nearly_the_inner_product_and_the_bias():
    scorer = TargetAttentionScorer(dim=8)
    state, vectors = torch.randn(2, 8), torch.randn(5, 9)
    asked = scorer.asked(state, torch.randn(2, 3, 8), torch.ones(2, 3, dtype=torch.long))
    torch.testing.assert_close(
        scorer.block(asked, scorer.items(vectors)), state @ vectors[:, :8].T + vectors[:, 8], atol=0.3, rtol=0
    )
