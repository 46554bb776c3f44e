"""Accuracy metrics: a worked example, the traps of public code, and ir-measures as the oracle."""

from __future__ import annotations

import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, SetF, Success, nDCG

from bench import Ragged
from bench.metrics import accuracy

IDS = np.array([[7, 3, 9, 1], [5, 6, -1, -1], [0, 2, 4, 8]], np.int32)
TARGETS = Ragged.from_rows([[3, 1, 8], [6], [1, 3]])


def test_a_worked_example() -> None:
    # Request 0: targets 3 and 1 at ranks 2 and 4, target 8 not found. Request 1: target 6 at rank 2. Request 2: no hit.
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    gain = 1 / math.log2(3) + 1 / math.log2(5)
    expected = {
        "precision": [2 / 4, 1 / 4, 0],
        "recall": [2 / 3, 1, 0],
        "f1": [2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3), 2 * (1 / 4) / (5 / 4), 0],
        "hit_rate": [1, 1, 0],
        "ndcg": [gain / ideal, 1 / math.log2(3), 0],
        "mrr": [1 / 2, 1 / 2, 0],
        "map": [(1 / 2 + 2 / 4) / 3, 1 / 2, 0],
    }
    measured = accuracy.measure_all(IDS, TARGETS, (4,))
    for name, values in expected.items():
        np.testing.assert_allclose(measured[f"{name}@4"], values, rtol=1e-6, err_msg=name)
        assert measured[f"{name}@4"].dtype == np.float32


def test_the_functions_give_what_all_at_once_gives() -> None:
    measured = accuracy.measure_all(IDS, TARGETS, (2, 4))
    one_by_one = {
        "precision": accuracy.precision,
        "recall": accuracy.recall,
        "f1": accuracy.f1,
        "hit_rate": accuracy.hit_rate,
        "ndcg": accuracy.ndcg,
        "mrr": accuracy.mrr,
        "map": accuracy.average_precision,
    }
    assert tuple(one_by_one) == accuracy.NAMES
    for name, function in one_by_one.items():
        for k in (2, 4):
            np.testing.assert_array_equal(function(IDS, TARGETS, k), measured[f"{name}@{k}"])


def test_the_ideal_dcg_counts_targets_that_were_not_found() -> None:
    one_hit_of_two = accuracy.ndcg(np.array([[1, 9]], np.int32), Ragged.from_rows([[1, 2]]), 2)
    assert one_hit_of_two[0] == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_the_ideal_dcg_holds_at_most_k_targets() -> None:
    assert accuracy.ndcg(np.array([[1, 2]], np.int32), Ragged.from_rows([[1, 2, 3, 4]]), 2)[0] == 1


def test_k_above_the_number_of_answers_divides_precision_by_k() -> None:
    ids, targets = np.array([[4]], np.int32), Ragged.from_rows([[4]])
    assert accuracy.precision(ids, targets, 10)[0] == pytest.approx(0.1)
    assert accuracy.recall(ids, targets, 10)[0] == 1


def test_an_item_answered_twice_is_one_hit() -> None:
    ids, targets = np.array([[4, 4, 4, 5]], np.int32), Ragged.from_rows([[4, 5]])
    measured = accuracy.measure_all(ids, targets, (3, 4))
    assert measured["recall@3"][0] == 0.5
    assert measured["precision@3"][0] == pytest.approx(1 / 3)
    assert measured["recall@4"][0] == 1


def test_recall_over_min_k_is_1_where_all_answers_are_targets() -> None:
    ids, targets = np.array([[1, 2]], np.int32), Ragged.from_rows([[1, 2, 3, 4]])
    assert accuracy.recall(ids, targets, 2)[0] == 0.5
    assert accuracy.recall(ids, targets, 2, over="min_k")[0] == 1
    assert accuracy.average_precision(ids, targets, 2, over="min_k")[0] == 1


def test_repeated_targets_count_each_time() -> None:
    # Item 1 three times, item 2 once, item 3 twice; answered: 2, 1.
    ids, targets = np.array([[2, 1]], np.int32), Ragged.from_rows([[1, 3, 1, 2, 3, 1]])
    measured = accuracy.measure_all(ids, targets, (1, 2))
    assert measured["recall@1"][0] == pytest.approx(1 / 6)
    assert measured["recall@2"][0] == pytest.approx(4 / 6)
    assert measured["precision@2"][0] == 2
    assert measured["mrr@2"][0] == 1
    assert measured["map@2"][0] == pytest.approx((1 * 1 + 3 * 1) / 6)
    assert measured["ndcg@2"][0] == pytest.approx((1 + 3 / math.log2(3)) / (3 + 2 / math.log2(3)))
    assert accuracy.recall(ids, targets, 2, over="min_k")[0] == pytest.approx(4 / 5)
    np.testing.assert_array_equal(
        accuracy.recall(np.array([[1, 3]], np.int32), targets, 2, over="min_k"), np.ones(1, np.float32)
    )


def test_a_request_without_targets_has_no_value() -> None:
    measured = accuracy.measure_all(np.array([[1, 2], [1, 2]], np.int32), Ragged.from_rows([[], [1]]), (2,))
    for values in measured.values():
        assert np.isnan(values[0])
        assert not np.isnan(values[1])


def test_no_requests_and_no_answers() -> None:
    nothing = accuracy.measure_all(np.zeros((0, 5), np.int32), Ragged.empty(0), (1, 5))
    assert all(values.shape == (0,) for values in nothing.values())
    unanswered = accuracy.measure_all(np.zeros((2, 0), np.int32), Ragged.from_rows([[0], [1]]), (1, 5))
    assert all((values == 0).all() for values in unanswered.values())


def test_one_item() -> None:
    assert accuracy.recall(np.array([[0, -1]], np.int32), Ragged.from_rows([[0]]), 2)[0] == 1


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="one answer a request"):
        accuracy.recall(IDS, TARGETS[:2], 2)
    with pytest.raises(ValueError, match="at least 1"):
        accuracy.recall(IDS, TARGETS, 0)
    with pytest.raises(ValueError, match="ids from 0"):
        accuracy.recall(IDS[:1], Ragged.from_rows([[-1]]), 2)
    with pytest.raises(ValueError, match="min_k"):
        accuracy.recall(IDS, TARGETS, 2, over="hits")  # type: ignore[arg-type]


def test_large_ids_and_read_only_views_are_fine() -> None:
    ids = np.array([[2**31 - 1, 3, 1, 5]], np.int32)[:, ::-1]
    values = np.array([3], np.int32)
    values.flags.writeable = False
    assert accuracy.mrr(ids, Ragged(np.array([0, 1]), values), 4)[0] == pytest.approx(1 / 3)


KS = (1, 5, 10, 50)


@pytest.mark.parametrize("seed", range(4))
def test_ir_measures_agrees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    requests, items, width = 40, (30, 2000)[seed % 2], (20, 50)[seed // 2]  # many hits and few; k above the answers too
    ids = np.stack([rng.permutation(items)[:width] for _ in range(requests)]).astype(np.int32)
    rows = [rng.choice(items, rng.integers(1, 15), replace=False) for _ in range(requests)]
    for row in range(0, requests, 5):
        rows[row] = items + np.arange(rng.integers(1, 4))  # no hit is possible
    targets = Ragged.from_rows(rows)
    qrels = [ir_measures.Qrel(f"{row}", f"{item}", 1) for row in range(requests) for item in rows[row]]
    run = [
        ir_measures.ScoredDoc(f"{row}", f"{item}", float(width - rank))
        for row in range(requests)
        for rank, item in enumerate(ids[row])
    ]
    oracle = {"precision": P, "recall": R, "hit_rate": Success, "ndcg": nDCG, "mrr": RR, "map": AP}
    measures = {f"{name}@{k}": measure @ k for name, measure in oracle.items() for k in KS}
    expected = {name: np.zeros(requests) for name in measures}
    names = {measure: name for name, measure in measures.items()}
    for metric in ir_measures.iter_calc(list(measures.values()), qrels, run):
        expected[names[metric.measure]][int(metric.query_id)] = metric.value
    measured = accuracy.measure_all(ids, targets, KS)
    for name, values in expected.items():
        np.testing.assert_allclose(measured[name], values, atol=1e-6, err_msg=name)
    whole = np.zeros(requests)
    for metric in ir_measures.iter_calc([SetF], qrels, run):  # F1 of all answers
        whole[int(metric.query_id)] = metric.value
    np.testing.assert_allclose(accuracy.f1(ids, targets, ids.shape[1]), whole, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_metrics_keep_their_bounds_and_order(data: st.DataObject) -> None:
    items = data.draw(st.integers(1, 12))
    requests = data.draw(st.integers(1, 5))
    width = data.draw(st.integers(1, items))
    ids = np.stack([data.draw(st.permutations(range(items)))[:width] for _ in range(requests)]).astype(np.int32)
    cut = data.draw(st.integers(0, width))
    ids[0, cut:] = -1
    ids = np.array(ids, np.int32)
    rows = [data.draw(st.lists(st.integers(0, items - 1), min_size=1, unique=True)) for _ in range(requests)]
    measured = accuracy.measure_all(ids, Ragged.from_rows(rows), (1, 3, 20))
    capped = accuracy.measure_all(ids, Ragged.from_rows(rows), (1, 3, 20), over="min_k")
    for values in (*measured.values(), *capped.values()):
        assert ((values >= 0) & (values <= 1)).all()
    for smaller, larger in ((1, 3), (3, 20)):
        for name in ("recall", "hit_rate", "mrr", "map"):  # more answers never lose anything
            assert (measured[f"{name}@{larger}"] >= measured[f"{name}@{smaller}"]).all()
    for k in (1, 3, 20):
        assert (capped[f"recall@{k}"] >= measured[f"recall@{k}"]).all()
        hits = [len(set(row) & set(answer[:k].tolist()) - {-1}) for row, answer in zip(rows, ids, strict=True)]
        np.testing.assert_allclose(measured[f"precision@{k}"] * k, hits, atol=1e-5)
