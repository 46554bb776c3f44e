"""Methods beside a baseline."""

from __future__ import annotations

import numpy as np
import pytest

from bench.analysis.comparison import compare_metric, holm
from bench.analysis.standings import Values, standings
from bench.data.tables import KEY_STRIDE

KEYS = np.arange(300) * KEY_STRIDE


def runs(rng: np.random.Generator, base: np.ndarray, gain: float, seeds: int) -> dict[int, Values]:
    """One method's runs: other users' order each."""
    found = {}
    for seed in range(seeds):
        order = rng.permutation(len(base))
        values = base + gain + 0.05 * rng.normal(size=len(base))
        found[seed] = (KEYS[order], values[order])
    return found


def test_differences_are_paired_corrected_and_ranked() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(300)
    methods = {"low": runs(rng, base, 0.0, 1), "same": runs(rng, base, 0.0, 1), "high": runs(rng, base, 0.1, 1)}
    found = {one.label: one for one in standings(methods, "recall@50", "low", "more")}
    assert list(found) == sorted(found, key=lambda label: -found[label].mean)
    assert found["low"].against is None and found["low"].p_value is None and found["low"].rank == (2, 3)
    assert found["high"].rank == (1, 1) and found["high"].seeds is None
    (keys, first), (others, second) = methods["low"][0], methods["high"][0]
    alone = compare_metric("recall@50", first[np.argsort(keys)], second[np.argsort(others)], 0, "more")
    against = {label: found[label].against for label in ("same", "high")}
    assert alone is not None and against["high"] is not None and against["same"] is not None
    assert against["high"].difference == pytest.approx(alone.difference)
    corrected = holm([against["same"].p_value, against["high"].p_value])
    assert [found["same"].p_value, found["high"].p_value] == pytest.approx(list(corrected))


def test_seeds_are_averaged_and_their_variance_told() -> None:
    rng = np.random.default_rng(1)
    base = rng.random(300)
    methods = {"low": runs(rng, base, 0.0, 3), "high": runs(rng, base, 0.02, 3), "once": runs(rng, base, 0.0, 1)}
    found = {one.label: one for one in standings(methods, "recall@50", "low", "more")}
    high = found["high"]
    assert high.against is not None and high.seeds is not None and len(high.each) == 3
    assert np.mean(high.each) == pytest.approx(high.against.difference) == pytest.approx(high.seeds.mean)
    assert high.seeds.low < 0.02 < high.seeds.high
    assert found["once"].seeds is None and len(found["once"].each) == 1


def test_only_requests_that_all_have_count() -> None:
    first = {0: (KEYS[:4], np.array([0.0, 1.0, np.nan, 1.0]))}
    second = {0: (KEYS[1:6], np.array([1.0, 1.0, 0.0, 1.0, 1.0]))}
    found = standings({"a": first, "b": second}, "recall@50", "a", "more")
    assert [one.mean for one in found] == [1.0, 0.5]
    with pytest.raises(ValueError, match="no request"):
        standings({"a": first, "b": {0: (KEYS[8:9], np.ones(1))}}, "recall@50", "a", "more")
