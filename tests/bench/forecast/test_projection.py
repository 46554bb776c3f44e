"""A size that was not run: which runs tell of it, what machines follow, what a person reads."""

import copy
import math

import pytest

from bench.errors import UsageError
from bench.forecast.projection import SERVER, WORK, Asked, machines, projected, siblings
from bench.prices import Prices
from bench.store import results
from bench.store.results import Store

SIZES = (10_000, 30_000, 100_000)
PRICES = 'currency = "EUR"\ncore_hour = 0.05\ngb_hour = 0.005\n'


def value(pick):
    return pick.value


@pytest.fixture
def runs(made):
    """Work by the logarithm, 1,000 bytes an item and 200 MB besides, half a core millisecond a request and 4,000."""
    found = []
    for size in SIZES:
        record = made.finished("dvf", 0.4, run_id=f"{size:08x}/1", spec_id=f"{size:08x}", timing="batch")
        record["task"] |= {"items": size, "interactions": 20 * size, "fingerprint": str(size)}
        record["task"]["dataset"] = f"synthetic:items={size}"
        record["work"] = {"unit": "items scored", "mean": 100 * math.log(size), "share": 0.1}
        record["latency_ms"] |= {"p50": 1 + size / 1e5}
        record["throughput_qps"] = 2 / (0.0005 + size * 1e-9)
        record["phases"]["query"]["peak_rss_bytes"] = 200_000_000 + 1_000 * size
        record["phases"]["train"]["seconds"] = 3 + 1e-5 * 20 * size
        record["machine"] |= {"memory_bytes": 16_000_000_000}
        record["provenance"] |= {"build": {"source": "", "device": "cpu", "threads": 2}, "device": "cpu"}
        found.append(record)
    return found


def test_runs_of_other_sizes_and_seeds_tell_and_others_do_not(runs):
    other = copy.deepcopy(runs[0])
    other["method"]["params"]["ef"] = 7
    threads = copy.deepcopy(runs[0])
    threads["provenance"]["build"]["threads"] = 1
    failed = {**copy.deepcopy(runs[1]), "status": "timeout", "spec_id": "x"}
    assert siblings(runs[0], [*runs[::-1], other, threads, failed]) == runs
    with pytest.raises(UsageError, match="synthetic:items=3333"):
        siblings(runs[0], [runs[0], other, threads])


def test_measurements_are_carried_on_by_their_own_law(runs):
    assert projected(WORK, runs, 10_000_000).value == pytest.approx(100 * math.log(10_000_000))
    assert projected(SERVER, runs, 10_000_000).value == pytest.approx(10_200_000_000)
    assert projected(WORK, runs, 120).value <= 120, "no more is scored than there is"


def test_machines_by_hand(runs):
    prices = Prices("EUR", core_hour=0.05, gb_hour=0.005)
    asked = Asked(1_000_000, 2e7, requests_per_second=10_000, cores=8, memory_bytes=16e9, used=0.5)
    found = machines(runs, asked, prices, value)
    # 1.2 GB fit; a request takes .0005 + .001 = .0015 core seconds: 15 of 4 usable cores each
    assert (found.shards, found.replicas, found.count) == (1, 4, 4)
    assert found.month == pytest.approx(4 * 730 * (8 * 0.05 + 16 * 0.005))
    larger = Asked(50_000_000, 1e9, requests_per_second=100, cores=8, memory_bytes=16e9, used=0.5)
    found = machines(runs, larger, None, value)
    assert found.shards == 4  # 50.2 GB: 12.7 GB each
    assert found.replicas == 1 and found.month is None  # 100 requests x (.0005 + .0125) = 1.3 of 4 cores
    with pytest.raises(UsageError, match="take larger machines"):
        machines(runs, Asked(1e6, 2e7, 1, 8, 1e8), None, value)


def test_the_command_shows_what_was_measured_what_follows_and_what_it_takes_for_granted(call, tmp_path, runs):
    store = Store(tmp_path / "results")
    for record in runs:
        with store.execution(record["spec_id"]) as folder:
            results.write(folder, record)
    (tmp_path / "prices.toml").write_text(PRICES, encoding="utf-8")
    words = ("project", runs[2]["spec_id"], "--items", "1e6", "--requests-per-second", "10000", "--cores", "8")
    code, out, err = call(*words, "--memory", "16GB", "--prices", "prices.toml")
    assert code == 0, err
    line = {text.split("  ")[0].strip(): text for text in out.splitlines()}
    assert "1,382" in line["work of a request"] and "logarithm" in line["work of a request"]
    assert "1.2 GB" in line["memory of a server"] and "3m23" in line["train s"]
    assert "EUR a month" in out and "carried on to 10.0 times" in " ".join(out.split())
    (tmp_path / "results" / "runs" / runs[0]["spec_id"]).rename(tmp_path / "gone")
    (tmp_path / "results" / "runs" / runs[1]["spec_id"]).rename(tmp_path / "gone too")
    code, _, err = call(*words)
    assert code == 2 and "is the only size of its kind (100,000 items)" in " ".join(err.split())
