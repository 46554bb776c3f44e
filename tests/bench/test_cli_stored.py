"""What the command line shows of stored runs, and one real run from beginning to end."""

import json
from pathlib import Path

import numpy as np

from bench.store import results
from bench.store.results import Store

PUBLISHED = Path(__file__).parents[2] / "results"


def test_results_are_listed_filtered_and_written(call, stored):
    code, out, _ = call("results")
    assert code == 0
    assert out.index("dvf") < out.index("item_cf")
    assert "item_cf" not in call("results", "--filter", "method=dvf")[1]
    assert [
        record["method"]["name"]
        for record in json.loads(call("results", "--format", "json", "--sort", "-recall@50")[1])
    ] == ["item_cf", "dvf"]
    assert [line.split()[-1] for line in out.splitlines() if line.startswith(("dvf", "item_cf"))] == ["aaaa", "bbbb"]
    assert "| bbbb |" in call("results", "--format", "md")[1]
    assert "no results in results meet" in call("results", "--filter", "method=ease")[1]
    assert "bench run makes some" in call("results", "--results", "empty")[1]


def test_published_results_are_listed_beside_those_of_the_store_each_once(call, stored, made):
    published = [made.finished("ease", 0.35, run_id="cccc/1", spec_id="cccc"), *stored.records()]
    (stored.root / "records.jsonl").write_text("\n".join(map(json.dumps, published)) + "\n", encoding="utf-8")
    code, out, _ = call("results", "--all")
    assert code == 0
    assert [out.count(name) for name in ("ease", "dvf", "item_cf")] == [1, 1, 1]
    assert "ease" in call("results", "--format", "csv", "--filter", "recall@50>0.34")[1]
    assert stored.listed()[0]["run_id"] == "cccc/1"  # the oldest, by its time
    assert "cccc/1" not in [record["run_id"] for record in stored.records()]


def test_the_projects_published_results_can_be_listed(call):
    for path in sorted(PUBLISHED.glob("*/records.jsonl")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        code, out, err = call("results", "--all", "--format", "json", "--results", path.parent)
        assert (code, len(json.loads(out))) == (0, lines), err
        assert "recall" in call("results", "--results", path.parent)[1]


def test_a_run_is_shown_in_full(call, stored):
    assert "item_cf on Synthetic" in call("inspect", "latest")[1]
    code, out, _ = call("inspect", "aaaa")
    assert code == 0
    for text in ("ef=100", ".400 (.392 to .407)", "Some CPU", "train", "32 s", "2,000 requests"):
        assert text in out


def test_recall_of_groups_is_shown_for_answers_and_oracle(call, tmp_path, made):
    record = made.finished("dvf", 0.4, spec_id="dddd0000dddd0000")
    record["metrics"]["recall@50/head"] = {"value": 0.611, "low": 0.6, "high": 0.62}
    record["oracle"]["recall@50/head"] = {"value": 0.622, "low": 0.61, "high": 0.63}
    with Store(tmp_path / "results").execution("dddd0000dddd0000") as folder:
        results.write(folder, record)
    lines = [" ".join(line.split()) for line in call("inspect", "dddd")[1].splitlines()]
    assert "recall/head – .611 (.600 to .620) –" in lines
    assert "oracle recall/head – .622 (.610 to .630) –" in lines


def test_a_live_run_says_what_came_and_left(call, tmp_path, made):
    live = {"remove": 0.1, "added": 1200, "removed": 300, "dropped_targets": 17, "requests_without_target": 2}
    with Store(tmp_path / "results").execution("cccc0000cccc0000") as folder:
        results.write(folder, made.finished("dvf", 0.4, spec_id="cccc0000cccc0000", live=live))
    _, out, _ = call("inspect", "cccc")
    assert "1,200 items came and 300 left after indexing, 17 targets with them" in out


def test_one_real_run_is_shown_inspected_and_compared(call, tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{user},{item},{time}" for user in range(80) for time, item in enumerate(rng.permutation(40)[:12])]
    (tmp_path / "clicks.csv").write_text("\n".join(["uid,sku,ts", *rows]))
    source = ("--data", "clicks.csv", "--columns", "user=uid,item=sku,time=ts")
    code, out, err = call("run", "-m", "popularity,item_cf", *source, "-p", "next-item:users=15", "--timing", "none")
    assert code == 0, err + out
    assert "popularity finds" in out
    names = [record["run_id"][:10] for record in json.loads(call("results", "--format", "json")[1])]
    assert len(names) == 2
    code, out, err = call("inspect", names[0], "--request", "2")
    assert code == 0, err
    assert "targets are among the" in out
    assert "requests 0 to 14" in call("inspect", names[0], "--request", "9999")[2]
    code, out, err = call("compare", *names)
    assert code == 0, err
    assert "recall@50" in out and "oracle@50" in out
    assert "sign-flip" in out
    out = call("compare", *names, "--cache", tmp_path / "other")[1]
    assert "oracle@50" not in out and "no longer holds the task" in out
    out = call("compare", *names, "--metric", "recall@10", "--metric", "ndcg@50")[1]
    assert "recall@10  clicks.csv" in out and "ndcg@50  clicks.csv" in out and "p (Holm)" in out
    assert "recall@11" in call("compare", *names, "--metric", "recall@11")[2]
    assert "two runs or more" in call("compare", names[0])[2]
    assert "interactions repeat an earlier one" in call("data", "audit", *source)[1]
    assert "960" in call("data", "stats", *source)[1]


def test_the_methods_of_a_suite_are_compared_over_their_seeds(call, tmp_path):
    (tmp_path / "suite.toml").write_text(
        'datasets = ["synthetic:interactions=20000,items=200"]\nseeds = [0, 1]\ntiming = "none"\nks = [10]\n'
        '[[methods]]\nname = "popularity"\n[[methods]]\nname = "item_cf"\nlabel = "neighbours"\n'
        '[[methods]]\nname = "bayes"\n'
    )
    assert "has no run of" in call("compare", "suite.toml")[2]
    code, out, err = call("sweep", "suite.toml")
    assert code == 0, err + out
    code, out, err = call("compare", "suite.toml", "--baseline", "neighbours")
    assert code == 0, err
    assert "baseline" in out and "in each seed" in out and "bayes" not in out
    assert "other trainings" in " ".join(out.split())
    assert "neighbours" in call("compare", "suite.toml", "--baseline", "neighbors")[2]


def test_load_device_and_other_work_are_shown(call, tmp_path, made):
    trial = {"rate": 900.0, "seconds": 2.0, "requests": 1800, "refused": 0, "p50": 1, "p95": 2, "p99": 3, "holds": True}
    load = {"rate": 900.0, "slo_ms": 20.0, "trials": [trial, trial]}
    device = {"latency_ms": {"mean": 1.0, "p50": 0.9, "p95": 1.5, "p99": 2.0}, "throughput_qps": 12345.0}
    record = made.finished("dvf", 0.4, spec_id="eeee0000eeee0000", load=load, device=device, competing_cores=0.25)
    record["told"] = {"slowest shard": {"ms": {"mean": 1.0, "p50": 0.8, "p95": 2.0, "p99": 2.25}}}
    record["machine"]["processor"] = {"governor": "powersave", "mhz": 2400, "affinity": [0, 1]}
    with Store(tmp_path / "results").execution("eeee0000eeee0000") as folder:
        results.write(folder, record)
    out = " ".join(call("inspect", "eeee")[1].split())
    assert "900 requests a second keeps p99 within 20 ms, of 2 rates" in out
    assert "12,345 a second" in out and ".25 cores of other work while timed, governor powersave, 2,400 MHz" in out
    assert "slowest shard, ms mean 1, p50 0.8, p95 2, p99 2.25" in out
    assert "to be relied on" in " ".join(call("results")[1].split())
