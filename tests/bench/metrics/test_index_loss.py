"""What the index loses."""

from __future__ import annotations

import numpy as np
import pytest

from bench import Ragged
from bench.metrics.evaluate import Facts
from bench.metrics.index_loss import oracle_coverage, oracle_metrics


def facts_for(requests: int, items: int) -> Facts:
    history = Ragged.empty(requests)
    return Facts(
        np.arange(items, 0, -1), None, items, history.lengths, None, "filtered", "all", history, catalog_size=items
    )


def test_a_worked_example() -> None:
    oracle = np.array([[0, 1, 2, 3], [4, 5, 6, 7]], np.int32)
    answers = np.array([[0, 2, 9, 8], [5, 4, 7, 6]], np.int32)
    targets = Ragged.from_rows([[0, 1], [7]])  # the oracle finds all, the answers half of the first
    measured = oracle_metrics(answers, oracle, targets, (2, 4), facts_for(2, 10), seed=0)
    assert measured["recall@4"]["value"] == 1
    assert measured["answer_recall@4"]["value"] == pytest.approx(0.75)
    assert measured["index_loss@4"]["value"] == pytest.approx(0.25)
    assert measured["coverage@4"]["value"] == pytest.approx((2 / 4 + 1) / 2)
    assert measured["coverage@2"]["value"] == pytest.approx((1 / 2 + 1) / 2)
    assert measured["sample"] == 2
    assert measured["same"] is False
    assert measured["ndcg@4"]["value"] > 0


def test_exact_search_loses_nothing() -> None:
    rng = np.random.default_rng(0)
    oracle = np.stack([rng.permutation(50)[:10] for _ in range(40)]).astype(np.int32)
    oracle[:, 8:] = -1
    targets = Ragged.from_rows([rng.choice(50, 4, replace=False) for _ in range(40)])
    measured = oracle_metrics(oracle, oracle, targets, (5, 10), facts_for(40, 50), seed=0)
    assert measured["index_loss@5"] == {"value": 0, "low": 0, "high": 0}
    assert measured["coverage@10"] == {"value": 1, "low": 1, "high": 1}
    assert measured["same"] is True


def test_a_lucky_index_has_a_negative_loss() -> None:
    oracle, answers = np.array([[0, 1]], np.int32), np.array([[2, 3]], np.int32)
    measured = oracle_metrics(answers, oracle, Ragged.from_rows([[0, 2, 3]]), (2,), facts_for(1, 4), seed=0)
    assert measured["index_loss@2"]["value"] == pytest.approx(-1)


def test_an_oracle_without_a_hit_has_no_loss() -> None:
    oracle = np.array([[0, 1]], np.int32)
    measured = oracle_metrics(oracle, oracle, Ragged.from_rows([[3]]), (2,), facts_for(1, 4), seed=0)
    assert "index_loss@2" not in measured
    assert measured["recall@2"]["value"] == 0


def test_the_loss_is_a_ratio_of_means_with_its_interval() -> None:
    rng = np.random.default_rng(3)
    requests = 400
    oracle = np.stack([rng.permutation(100)[:20] for _ in range(requests)]).astype(np.int32)
    answers = np.where(rng.random(oracle.shape) < 0.9, oracle, -1).astype(np.int32)
    targets = Ragged.from_rows([rng.choice(100, 5, replace=False) for _ in range(requests)])
    measured = oracle_metrics(answers, oracle, targets, (20,), facts_for(requests, 100), seed=0)
    loss = measured["index_loss@20"]
    reached, found = measured["recall@20"]["value"], measured["answer_recall@20"]["value"]
    assert loss["value"] == pytest.approx((reached - found) / reached)
    assert loss["low"] < 0.1 < loss["high"]
    assert 0.02 < loss["high"] - loss["low"] < 0.1


def test_coverage_ignores_pads() -> None:
    oracle, answers = np.array([[3, 4, -1], [-1, -1, -1]], np.int32), np.array([[4, -1, -1], [1, 2, 3]], np.int32)
    np.testing.assert_allclose(oracle_coverage(answers, oracle, 3), [0.5, np.nan])


def test_losses_of_warm_and_cold_items_are_told_apart() -> None:
    # items 0 to 3 were met in training, 4 and 5 only described, 6 and 7 not known
    oracle = np.array([[0, 1, 4, 6], [2, 3, 5, -1]], np.int32)
    answers = np.array([[0, 1, 6, 7], [2, 7, 1, 0]], np.int32)
    targets = Ragged.from_rows([[0, 4, 6], [2, 3, 5]])
    history = Ragged.empty(2)
    popularity = np.array([4, 3, 2, 1, 0, 0, 0, 0])
    facts = Facts(popularity, None, 6, history.lengths, None, "filtered", "all", history, catalog_size=8)
    measured = oracle_metrics(answers, oracle, targets, (4,), facts, seed=0)
    assert measured["index_loss@4/warm"]["value"] == pytest.approx(0.25)  # oracle 1 and 1, answers 1 and 1/2
    assert measured["index_loss@4/cold"]["value"] == pytest.approx(0.75)  # oracle 1 and 1, answers 1/2 and 0
    assert measured["index_loss@4/new"]["value"] == pytest.approx(0)
    assert measured["coverage@4/warm"]["value"] == pytest.approx((2 / 2 + 1 / 2) / 2)
    assert measured["coverage@4/cold"]["value"] == pytest.approx((1 / 2 + 0) / 2)
    assert measured["coverage@4/new"]["value"] == 1  # the second request's oracle has none


def test_no_requests() -> None:
    nothing = np.zeros((0, 3), np.int32)
    assert oracle_metrics(nothing, nothing, Ragged.empty(0), (3,), facts_for(0, 4), seed=0) == {
        "sample": 0,
        "same": True,
    }
