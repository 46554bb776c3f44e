"""All metrics of a set of answers together."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from bench import Evaluation, Ragged, Requests
from bench.data.tables import KEY_STRIDE
from bench.errors import UsageError
from bench.metrics.evaluate import Facts, catalog_metrics, evaluate, summarise

ITEMS = 8
POPULARITY = np.array([9, 5, 4, 4, 2, 2, 1, 0])  # 27: head 0; torso 1, 2; tail from 3 on


def made(requests: int, seen: str = "answered") -> tuple[np.ndarray, Ragged, Facts]:
    rng = np.random.default_rng(0)
    ids = np.stack([rng.permutation(ITEMS)[:5] for _ in range(requests)]).astype(np.int32)
    targets = Ragged.from_rows([rng.choice(ITEMS, rng.integers(1, 4), replace=False) for _ in range(requests)])
    history = Ragged.from_rows([rng.integers(0, ITEMS, rng.integers(0, 80)) for _ in range(requests)])
    asked = Requests(np.arange(requests) * KEY_STRIDE, np.full(requests, -1, np.int32), history, Ragged.empty(requests))
    facts = Facts(
        popularity=POPULARITY,
        first_seen=None,
        training_items=7,
        history_lengths=history.lengths,
        request_times=None,
        seen=seen,  # type: ignore[arg-type]
        recall_over="all",
        history=history,
        catalog_size=ITEMS,
        requests=asked,
    )
    return ids, targets, facts


def test_recall_by_group_is_the_recall_of_that_groups_targets() -> None:
    ids = np.array([[0, 7, 3], [1, 2, 4]], np.int32)
    targets = Ragged.from_rows([[0, 1, 3, 7], [1, 2, 5]])
    history = Ragged.from_rows([np.zeros(10), np.zeros(11)])
    _, _, facts = made(2)
    facts = replace(facts, history=history, history_lengths=history.lengths, requests=None)
    values = evaluate(ids, targets, (3,), facts)
    expected = {
        "head": [1, np.nan],
        "torso": [0, 1],
        "tail": [1, 0],
        "fresh": [1, np.nan],
        "warm": [2 / 3, 2 / 3],
        "cold": [1, np.nan],
        "new": [1, np.nan],
        "short": [3 / 4, np.nan],
        "medium": [np.nan, 2 / 3],
        "long": [np.nan, np.nan],
    }
    for group, recalls in expected.items():
        np.testing.assert_allclose(values[f"recall@3/{group}"], recalls, rtol=1e-6, err_msg=group)
    summary, _ = summarise(ids, targets, (3,), facts, 0)
    assert summary["recall@3/head"]["value"] == 1
    assert "recall@3/long" not in summary


def test_novelty_is_reported_only_where_seen_items_may_be_answered() -> None:
    for seen, reported in (("answered", True), ("filtered", False)):
        ids, targets, facts = made(20, seen)
        assert ("novelty@5" in evaluate(ids, targets, (5,), facts)) == reported


def test_the_summary_is_plain_numbers_around_the_means() -> None:
    ids, targets, facts = made(50)
    summary, values = summarise(ids, targets, (2, 5), facts, seed=1)
    assert json.loads(json.dumps(summary)) == summary
    for name, interval in summary.items():
        assert list(interval) == ["value", "low", "high"]
        assert all(type(number) is float and math.isfinite(number) for number in interval.values()), name
        assert interval["low"] <= interval["value"] <= interval["high"], name
        if name in values:
            assert interval["value"] == pytest.approx(float(np.nanmean(values[name])), rel=1e-6)
    assert {name: summary[name]["value"] for name in catalog_metrics(ids, (2, 5), facts)} == catalog_metrics(
        ids, (2, 5), facts
    )
    assert all(column.dtype == np.float32 and column.shape == (50,) for column in values.values())


def test_equal_seeds_give_equal_summaries() -> None:
    ids, targets, facts = made(50)
    first, again, other = (summarise(ids, targets, (5,), facts, seed)[0] for seed in (1, 1, 2))
    assert first == again
    assert first["recall@5"] != other["recall@5"]


def test_min_k_reaches_the_groups() -> None:
    ids, targets = np.array([[3, 4]], np.int32), Ragged.from_rows([[3, 4, 5]])
    _, _, facts = made(1)
    assert evaluate(ids, targets, (1,), facts)["recall@1/tail"][0] == pytest.approx(1 / 3)
    assert evaluate(ids, targets, (1,), replace(facts, recall_over="min_k"))["recall@1/tail"][0] == 1


def test_a_plugins_metric_is_reported_with_its_interval() -> None:
    def first_is_target(ids: np.ndarray, evaluation: Evaluation) -> np.ndarray:
        return np.array([float(row[0] in target) for row, target in zip(ids, evaluation.targets, strict=True)])

    ids, targets, facts = made(30)
    summary, values = summarise(ids, targets, (1,), facts, 0, {"first": first_is_target})
    np.testing.assert_array_equal(values["first"], values["hit_rate@1"])
    assert summary["first"] == summary["hit_rate@1"]


def test_a_plugins_metric_that_does_not_fit_is_named() -> None:
    def fails(ids: np.ndarray, evaluation: Evaluation) -> np.ndarray:
        raise KeyError("price")

    ids, targets, facts = made(3)
    for metric, reason in (
        (fails, "failed: KeyError: 'price'"),
        (lambda ids, evaluation: 1.0, "one number a request"),
        (lambda ids, evaluation: ["a", "b", "c"], "one number a request"),
        (lambda ids, evaluation: np.array([0, np.inf, 0]), "infinite value for request 1"),
    ):
        with pytest.raises(UsageError, match=f"'mine'.*{reason}"):
            evaluate(ids, targets, (1,), facts, {"mine": metric})
    with pytest.raises(UsageError, match="another name"):
        evaluate(ids, targets, (1,), facts, {"recall@1": lambda ids, evaluation: np.zeros(3)})
    with pytest.raises(UsageError, match="'mine'"):
        evaluate(ids, targets, (1,), replace(facts, requests=None), {"mine": lambda ids, evaluation: np.zeros(3)})


def test_no_requests() -> None:
    ids, targets, facts = made(1)
    none = np.zeros(0, np.int64)
    summary, values = summarise(ids[:0], targets[:0], (5,), facts.take(none), 0)
    assert summary == {}
    assert all(column.shape == (0,) for column in values.values())


def test_one_item_one_request() -> None:
    history = Ragged.empty(1)
    facts = Facts(np.ones(1, np.int64), np.zeros(1, np.int64), 1, history.lengths, None, "answered", "all", history, 1)
    summary, _ = summarise(np.array([[0, -1, -1]], np.int32), Ragged.from_rows([[0]]), (1, 3), facts, 0)
    for name in ("recall@3", "ndcg@3", "novelty@1", "coverage@3", "recall@1/head", "recall@1/short"):
        assert summary[name] == {"value": 1, "low": 1, "high": 1}, name
    assert summary["precision@3"]["value"] == pytest.approx(1 / 3)
