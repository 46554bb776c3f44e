"""Every reported metric is described, and importing the harness's root does not import numba."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from bench import Ragged
from bench.metrics.evaluate import Facts, catalog_metrics, evaluate
from bench.metrics.names import METRICS, describe


def test_every_reported_metric_is_described() -> None:
    history = Ragged.from_rows([[0]])
    facts = Facts(np.ones(3, np.int64), None, 3, history.lengths, None, "answered", "all", history, 3)
    ids, targets = np.array([[1, 2]], np.int32), Ragged.from_rows([[2]])
    names = [*evaluate(ids, targets, (2,), facts), *catalog_metrics(ids, (2,), facts)]
    assert all(describe(name) is not None for name in names)
    assert {name.partition("@")[0] for name in names} == set(METRICS)


def test_groups_say_which_targets_or_requests_they_hold() -> None:
    head = describe("recall@50/head")
    assert head is not None and "most popular" in head.meaning and head.better == "more"
    assert describe("gini@10").better == "less"  # type: ignore[union-attr]
    assert describe("popularity_percentile@10").better is None  # type: ignore[union-attr]
    assert describe("mine") is None
    assert describe("recall@50/nobody") is None


def test_importing_bench_does_not_import_numba() -> None:
    script = "import sys, bench, bench.metrics.evaluate; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
