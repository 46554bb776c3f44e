"""From records to costs, worked by hand, and the tables that show them."""

import copy

import pytest

from bench.prices import Prices
from bench.report import cost
from bench.report.cost import Bill
from bench.report.cost_columns import cost_columns, remarks

EUR = Prices("EUR", core_hour=0.036, gb_hour=0.0, gb_month=0.1)


@pytest.fixture
def record(made):
    """31.5 s of training and 4.3 s of indexing on 2 cores, 1,834 requests a second."""
    found = made.finished("dvf", 0.4)
    found["provenance"] = {"build": {"threads": 2}, "device": "cpu"}
    return found


def test_building_is_training_and_indexing_and_serving_is_the_measured_rate(record):
    """(31.5 + 4.3) s x 2 cores x 0.036 / 3600 = 0.000716; 1,000,000 / 1,834 x 2 x 0.00001 = 0.0109."""
    assert cost.building_money(record, EUR) == pytest.approx(0.000716)
    assert cost.serving_money(record, Bill(1e6, EUR)) == pytest.approx(1e6 / 1834 * 2e-5)
    assert cost.storing_money(record, EUR) == pytest.approx(0.0014)
    assert cost.serving_mode(record) == "in batches"
    alone = {**record, "throughput_qps": None}
    assert cost.serving_money(alone, Bill(1e6, EUR)) == pytest.approx(1300 * 1e-5)  # 1.3 ms each on one core
    assert cost.serving_mode(alone) == "one by one on one thread"
    assert cost.serving(alone | {"latency_ms": None}, 1e6) is None


def test_memory_counts_by_the_phase_that_holds_it(record):
    prices = Prices("EUR", core_hour=0.0, gb_hour=3.6)
    assert cost.building_money(record, prices) == pytest.approx((31.5 * 0.812 + 4.3 * 0.7) * 1e-3)
    assert cost.serving_money(record, Bill(1834, prices)) == pytest.approx(0.65 * 1e-3)


def test_a_run_on_a_gpu_needs_its_price(record):
    record["provenance"]["device"] = "cuda"
    record |= {"throughput_qps": None, "latency_ms": None, "device": {"throughput_qps": 1e4}}
    assert cost.building_money(record, EUR) is None
    assert cost.serving_money(record, Bill(1e6, EUR)) is None
    assert cost.serving_money(record, Bill(1e6, Prices("EUR", gpu_hour=36))) == pytest.approx(1.0)
    assert "All rows ran on a processor without a price" in " ".join(remarks([record], Bill(1e6, EUR)))


def test_without_prices_there_is_no_money(record):
    names = {column.name for column in cost_columns([record], Bill(1e6))}
    assert not {name for name in names if "money" in name}
    assert {"train", "index", "loading", "serving", "bytes"} <= names
    assert "Prices" not in " ".join(remarks([record], Bill(1e6)))
    record["provenance"] = {}
    assert cost.building_money(record, EUR) is None  # nobody knows how many cores
    assert cost.serving_seconds(record, 1834e3) == pytest.approx(1000.0)


def test_the_time_to_a_recall_is_of_rounds_that_measured_the_same(record):
    record["phases"]["train"]["milestones"] = [
        {"name": "round 0", "seconds": 5.0, "validation recall@50, exact": 0.9},
        {"name": "round 1", "seconds": 12.0, "validation recall@50": 0.2},
        {"name": "tree", "seconds": 13.0, "log-likelihood before": 1.0},
        {"name": "round 2", "seconds": 20.0, "validation recall@50": 0.29},
        {"name": "round 3", "seconds": 31.0, "validation recall@50": 0.3},
    ]
    assert cost.time_to(record, 0.95) == 20.0
    assert cost.time_to(record, 0.5) == 12.0
    record["phases"]["train"]["milestones"] = record["phases"]["train"]["milestones"][:2]
    assert cost.time_to(record, 0.5) is None


def test_energy_is_shown_with_how_it_was_found(record):
    measured = {"joules": 3600.0, "parts": {"processor": 3600.0}, "sources": {"processor": "measured (Intel Rapl)"}}
    for phase in ("train", "index"):
        record["phases"][phase]["energy"] = measured
    record["phases"]["query"]["energy"] = {**measured, "requests": 5000}
    assert cost.building_energy(record) == pytest.approx(2.0)
    assert cost.serving_energy(record, 1e6) == pytest.approx(200.0)
    headers = {column.name: column.header for column in cost_columns([record], Bill(1e6))}
    assert headers["serving_energy"] == "1M req\nWh"
    guessed = copy.deepcopy(record)
    guessed["phases"]["query"]["energy"]["sources"] = {"processor": "estimated (Cpu Load)"}
    headers = {column.name: column.header for column in cost_columns([record, guessed], Bill(1e6))}
    assert headers["building_energy"] == "build\n~Wh"
    said = " ".join(remarks([record, guessed], Bill(1e6)))
    assert "processor measured (Intel Rapl), processor estimated (Cpu Load)" in said
    del guessed["phases"]["index"]["energy"]  # its index came from a cache that knew none
    assert cost.building_energy(guessed) is None


def test_the_command_prints_costs_and_money_by_the_prices_given(call, stored, tmp_path):
    code, out, _ = call("cost")
    assert code == 0
    assert "dvf" in out and "5m" not in out and "EUR" not in out
    assert out.count("9m05") == 2  # 1,000,000 requests at 1,834 a second
    (tmp_path / "prices.toml").write_text('currency = "EUR"\ngb_month = 0.1\ncore_hour = 0.03\n', encoding="utf-8")
    code, out, _ = call("cost", "--prices", "prices.toml", "--requests", "2e6", "--format", "csv")
    assert code == 0 and "serving_money" in out.splitlines()[0]
    assert float(out.splitlines()[1].split(",")[-1]) == pytest.approx(0.0014)
    assert "no result to count" in call("cost", "--results", "empty")[2]
    assert "**" in call("cost", "--format", "md")[1]
