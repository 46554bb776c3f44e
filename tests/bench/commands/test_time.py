"""`bench time` as a user meets it; the turns themselves are made up."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench import params
from bench.catalog import method_class
from bench.commands import timing
from bench.data.cards import find_card
from bench.data.protocols import describe, parse
from bench.errors import Unavailable
from bench.run.tasks import own_protocol
from bench.store import results
from bench.store.results import Store
from bench.suites import load_suite

SUITE = """title = "Three methods"
datasets = ["synthetic"]
timing = "none"
[[methods]]
name = "popularity"
[[methods]]
name = "item_cf"
grid = { neighbours = [5, 100] }
[[methods]]
name = "ease"
"""
SECONDS = {"popularity": 0.001, "item_cf neighbours=5": 0.002, "item_cf neighbours=100": 0.001}


@pytest.fixture
def suite(call, tmp_path, made, monkeypatch):
    """A suite of finished runs, of which `ease` cannot be opened."""
    (tmp_path / "three.toml").write_text(SUITE, encoding="utf-8")
    for at, plan in enumerate(load_suite(tmp_path / "three.toml").plans):
        record = made.finished(plan.method, 0.4 - at / 100, timing="none")
        record["method"]["params"] = params.resolve(method_class(plan.method), plan.settings)
        record["task"] |= {
            "protocol": describe(parse(own_protocol(find_card("synthetic")))),
            "conventions": plan.conventions.as_dict(),
            "requests": 50,
        }
        with Store(tmp_path / "results").execution(f"{at:016d}") as folder:
            results.write(folder, record)

    def job_of(one, home):
        if one.label == "ease":
            raise Unavailable("its source has changed since its run")
        return one.label

    def take(jobs, vital, course, limits, home, watch):
        return made.turns({label: SECONDS[label.removesuffix(" again")] for label in jobs}, course), {}

    monkeypatch.setattr(timing, "job_of", job_of)
    monkeypatch.setattr(timing, "take", take)
    return tmp_path / "three.toml"


def test_times_are_shown_beside_the_baseline_and_kept(call, suite, tmp_path):
    code, out, err = call("time", str(suite), "--starts", "5")
    assert code == 1, "ease has no times"
    line = {text.strip().split("  ")[0]: text for text in out.splitlines()}
    assert "slower" in line["item_cf neighbours=5"] and "×2.0" in line["item_cf neighbours=5"]
    assert "not distinguishable" in line["item_cf neighbours=100"]
    assert "baseline" in line["popularity"]
    assert "popularity beside itself" in out and "the machine was not quiet" in out.replace("\n", " ")
    assert "ease was not timed: its source has changed since its run" in out
    assert "single" not in err
    (folder,) = (tmp_path / "results" / "turns").iterdir()
    record = json.loads((folder / "record.json").read_text())
    assert record["baseline"] == "popularity" and record["modes"].keys() == {"single", "batch"}
    assert record["course"]["starts"] == 5 and len(record["methods"]) == 3
    calls = pq.read_table(folder / "turns.parquet").to_pandas()
    assert len(calls) == 4 * 5 * 2 * 2 * 9
    own = calls[(calls["method"] == "popularity") & (calls["mode"] == "single")]
    medians = own.groupby(["start", "round"])["seconds"].median()
    shown = next(one for one in record["modes"]["single"]["methods"] if one["label"] == "popularity")
    assert shown["seconds"] == pytest.approx(np.exp(np.log(medians).mean()))
    assert shown["p99_seconds"] == pytest.approx(np.percentile(own["seconds"], 99))
    batch = next(one for one in record["modes"]["batch"]["methods"] if one["label"] == "popularity")
    assert batch["seconds"] == pytest.approx(0.001, rel=0.02)


def test_a_baseline_modes_and_methods_can_be_named(call, suite, tmp_path):
    words = ["--baseline", "item_cf neighbours=5", "--methods", "popularity", "--mode", "batch", "-q"]
    code, out, err = call("time", str(suite), *words)
    assert code == 0, err
    assert "faster" in out and "×0.50" in out and "p50" not in out
    assert "item_cf neighbours=5 beside itself" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--baseline", "popularty"], "Did you mean 'popularity'"),
        (["--methods", "itemcf"], "no finished method 'itemcf' in the suite"),
        (["--mode", "load"], "mode load takes no turns"),
        (["--mode", "none"], "measures nothing"),
        (["--mode", "sinlge"], "Did you mean 'single'"),
        (["--baseline", "ease"], "ease, the baseline, cannot be timed: its source has changed"),
        (["--starts", "2"], "--starts"),
    ],
)
def test_what_cannot_be_timed_is_refused_before_anything_is_measured(call, suite, tmp_path, words, message):
    code, _, err = call("time", str(suite), *words)
    assert code == 2
    assert message in " ".join(err.split())
    assert not (tmp_path / "results" / "turns").exists()


def test_a_suite_without_runs_says_what_makes_them(call, tmp_path):
    (tmp_path / "three.toml").write_text(SUITE, encoding="utf-8")
    code, _, err = call("time", "three.toml")
    assert code == 2 and "bench sweep makes them" in err


def test_compare_shows_the_newest_times_of_the_suites_own_runs(call, suite, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.report.standing.render", lambda *_: "standings")
    monkeypatch.setattr("bench.report.equal_recall.render", lambda *_: [])
    assert "beside itself" not in call("compare", str(suite))[1]
    call("time", str(suite), "--methods", "popularity,item_cf neighbours=5", "--mode", "batch", "-q")
    out = call("compare", str(suite))[1]
    assert out.startswith("standings") and "all requests in one call" in out and "slower" in out
    (tmp_path / "other.toml").write_text(SUITE.replace("[5, 100]", "[100]"), encoding="utf-8")
    assert "beside itself" not in call("compare", "other.toml")[1], "item_cf neighbours=5 is not of this suite"
