"""Costs at equal recall: the table as people read it, from runs in a store, worked by hand."""

import math

import numpy as np
import pytest

from bench.report.axes import axes
from bench.report.equal_recall import equal_recall, usual
from bench.report.standing import Contest
from bench.store import results
from bench.store.columns import write_requests
from bench.store.results import Store

REQUESTS = 200


def keep(store, record, recall):
    """A run of which that share of the requests, the first ones, finds its target."""
    values = (np.arange(REQUESTS) < recall * REQUESTS).astype(np.float32)
    keys = np.arange(REQUESTS, dtype=np.int64) << 24
    with store.execution(record["spec_id"]) as folder:
        results.write(folder, record)
        write_requests(folder / "requests.parquet", {"test": {"key": keys, "recall@50": values}})
    return store.find(record["spec_id"])


@pytest.fixture
def contest(tmp_path, made):
    """fast: .2 at 1 ms, .4 at 4 ms, and a setting that validation does not want; slow: .2 at 2 ms, .3 at 8 ms; exact:
    .5 at 20 ms."""
    store, found = Store(tmp_path / "results"), Contest("Shop")
    rows = (
        ("slow", 2.0, 0.2, 0.2), ("slow", 8.0, 0.3, 0.3), ("fast", 1.0, 0.2, 0.2), ("fast", 1.5, 0.6, 0.1),
        ("fast", 4.0, 0.4, 0.4), ("exact", 20.0, 0.5, 0.5),
    )  # fmt: skip
    for at, (line, latency, recall, told) in enumerate(rows):
        record = made.finished(line, recall, spec_id=f"{at:016x}", latency_ms={"p50": latency}, throughput_qps=None)
        record["validation"]["recall@50"] = {"value": told}
        label = f"{line} ef={at}"
        found.runs[label], found.lines[label] = {0: keep(store, record, recall)}, line
    return found, store


def test_methods_are_read_off_at_equal_recall_beside_the_baseline(contest):
    runs, store = contest
    latency = [axis for axis in axes(runs.records) if axis.name == "p50"]
    (found,) = equal_recall(runs, store, latency, "recall@50", "slow", [0.3])
    cells = {line["method"]: line["at recall@50 .30"] for line in found.lines}
    assert cells["slow"] == "8.00 ms, baseline"
    assert cells["fast"].startswith("2.00 ms, 4.00× faster (")  # half-way in log cost between 1 and 4
    assert cells["exact"] == "20 ms at .500"
    assert "At recall@50 .30: fast 4.00× faster (" in found.words and "than slow." in found.words
    assert "chosen on validation" in found.words


def test_what_a_method_never_reaches_is_said_and_another_baseline_taken(contest):
    runs, store = contest
    latency = [axis for axis in axes(runs.records) if axis.name == "p50"]
    (found,) = equal_recall(runs, store, latency, "recall@50", "slow", [0.35])
    cells = {line["method"]: line["at recall@50 .35"] for line in found.lines}
    assert cells["slow"] == "never: at most .300"
    assert cells["fast"] == f"{2 * math.sqrt(2):.2f} ms"
    assert "than" not in found.words.partition("Settings")[0]


def test_without_a_validation_part_the_table_says_that_test_chose(contest):
    runs, store = contest
    for record in runs.records:
        record["validation"] = {}
    latency = [axis for axis in axes(runs.records) if axis.name == "p50"]
    (found,) = equal_recall(runs, store, latency, "recall@50", "slow", [0.3])
    assert "chosen on test, as not every run has a validation part" in found.words


def test_single_settings_have_no_curve(contest):
    runs, store = contest
    alone = Contest("Shop", dict(list(runs.runs.items())[:1] + list(runs.runs.items())[-1:]), runs.lines)
    assert equal_recall(alone, store, axes(runs.records), "recall@50", "slow", [0.2]) == []


def test_recalls_are_round_and_within_reach_of_most():
    assert usual([(0.2, 0.4), (0.2, 0.3), (0.5, 0.5)]) == [0.2, 0.25, 0.3]
    assert usual([(0.461, 0.472), (0.455, 0.47)]) == [0.465, 0.47]
    assert usual([(0.44, 1.0), (0.96, 1.0), (0.97, 1.0)]) == [0.99, 0.995, 0.999]
    assert usual([(0.1, 0.2), (0.3, 0.4)]) == []
    assert usual([]) == []


def test_rates_are_read_off_as_rates(contest):
    runs, store = contest
    for record in runs.records:
        record["throughput_qps"] = 1000 / record["latency_ms"]["p50"]
    rate = [axis for axis in axes(runs.records) if axis.name == "qps"]
    (found,) = equal_recall(runs, store, rate, "recall@50", "slow", [0.3])
    cells = {line["method"]: line["at recall@50 .30"] for line in found.lines}
    assert cells["slow"] == "125/s, baseline"
    assert cells["fast"].startswith("500/s, 4.00× more (")
