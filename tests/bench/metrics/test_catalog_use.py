"""Coverage and Gini coefficient, and that their intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics.catalog_use import catalog_use


def gini(counts: np.ndarray) -> float:
    """From the definition: half the mean difference between two items, by the mean."""
    return float(np.abs(counts[:, None] - counts[None]).mean() / 2 / counts.mean())


def test_a_worked_example() -> None:
    ids = np.array([[0, 1], [0, 2], [0, -1]], np.int32)
    use = catalog_use(ids, (1, 2), 5, 0)
    assert use["coverage@1"]["value"] == pytest.approx(1 / 5)
    assert use["gini@1"]["value"] == pytest.approx(4 / 5)  # one item alone: 1 - 1/5
    assert use["coverage@2"]["value"] == pytest.approx(3 / 5)
    assert use["gini@2"]["value"] == pytest.approx(gini(np.array([3, 1, 1, 0, 0])))


def test_even_answers_have_gini_0() -> None:
    ids = np.arange(12, dtype=np.int32).reshape(4, 3)
    use = catalog_use(ids, (3,), 12, 0)
    assert use["gini@3"]["value"] == pytest.approx(0)
    assert use["coverage@3"]["value"] == 1


def test_it_agrees_with_counting() -> None:
    rng = np.random.default_rng(0)
    ids = np.stack([rng.permutation(40)[:10] for _ in range(130)]).astype(np.int32) ** 2 // 40
    ids[rng.random(ids.shape) < 0.1] = -1
    use = catalog_use(ids, (1, 10, 30), 45, 3)
    for k in (1, 10, 30):
        shown = ids[:, :k]
        counts = np.bincount(shown[shown >= 0], minlength=45)
        assert use[f"coverage@{k}"]["value"] == pytest.approx((counts > 0).mean())
        assert use[f"gini@{k}"]["value"] == pytest.approx(gini(counts))
        for name in (f"coverage@{k}", f"gini@{k}"):
            assert use[name]["low"] <= use[name]["value"] <= use[name]["high"]


def test_one_item_one_request_nothing() -> None:
    assert catalog_use(np.zeros((1, 1), np.int32), (1,), 1, 0) == {
        "coverage@1": {"value": 1, "low": 1, "high": 1},
        "gini@1": {"value": 0, "low": 0, "high": 0},
    }
    assert catalog_use(np.full((3, 2), -1, np.int32), (2,), 4, 0) == {"coverage@2": {"value": 0, "low": 0, "high": 0}}
    lonely = catalog_use(np.array([[3, 1], [-1, -1]], np.int32), (2,), 4, 0)["gini@2"]  # without request 0: no answer
    assert lonely == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert catalog_use(np.zeros((0, 2), np.int32), (2,), 4, 0) == {}


def test_intervals_hold_the_expected_figure_at_least_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    items, requests, k, runs = 300, 200, 5, 300
    weights = 1 / np.arange(1, items + 1)

    def answers() -> np.ndarray:
        keys = rng.exponential(size=(requests, items)) / weights  # k items without replacement, by weight
        return np.argpartition(keys, k, axis=1)[:, :k].astype(np.int32)

    found = [catalog_use(answers(), (k,), items, seed) for seed in range(runs)]
    for name in ("coverage@5", "gini@5"):
        values = np.array([use[name]["value"] for use in found])
        held = np.mean([use[name]["low"] <= values.mean() <= use[name]["high"] for use in found])
        width = np.mean([use[name]["high"] - use[name]["low"] for use in found])
        assert held >= 0.93, name
        assert width < 3 * 1.96 * 2 * values.std(), name  # wide at most by a factor
