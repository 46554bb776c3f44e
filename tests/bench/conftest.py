"""Records as the runner writes them, made up."""

from __future__ import annotations

import copy
import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench import cli
from bench.run.turns import ROUNDS, Course
from bench.store import results
from bench.store.columns import Repetitions
from bench.store.results import Store
from bench.store.turns import Turn


def measure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.008, "high": value + 0.007}


def make_record(name: str = "dvf", recall: float = 0.412, **changes: Any) -> dict[str, Any]:
    """A finished run; `changes` replace top-level keys."""
    record: dict[str, Any] = {
        "schema": 1,
        "run_id": f"{abs(hash(name)) % 16**8:08x}00aa",
        "status": "ok",
        "error": None,
        "task": {
            "dataset": "synthetic",
            "title": "Synthetic, 20,000 items",
            "protocol": {"name": "next-item", "parameters": {}},
            "fingerprint": "f00d",
            "requests": {"validation": 1000, "test": 2000},
            "items": 20_000,
            "interactions": 480_000,
            "conventions": {
                "seen": "filtered",
                "repeats": "once",
                "recall_over": "all",
                "candidates": "catalog",
                "ties": "hash",
            },
            "audit": {},
        },
        "method": {"name": name, "version": "1", "params": {"ef": 100}, "reference": False},
        "seed": 0,
        "k": 200,
        "metrics": {
            "recall@10": measure(recall / 2),
            "recall@50": measure(recall),
            "recall@200": measure(recall * 1.5),
            "ndcg@10": measure(recall / 3),
        },
        "validation": {"recall@50": measure(recall + 0.01)},
        "oracle": {
            "recall@50": measure(recall + 0.002),
            "index_loss@50": measure(0.0048),
            "coverage@50": measure(0.98),
            "sample": 2000,
        },
        "work": {"unit": "items scored", "mean": 1234.5, "share": 0.0617},
        "latency_ms": {"mean": 1.3, "p50": 1.23, "p95": 2.0, "p99": 2.51, "floor_p50": 0.008},
        "throughput_qps": 1834.0,
        "phases": {
            "train": {"seconds": 31.5, "peak_rss_bytes": 812_000_000, "artifact_bytes": 5_000_000, "cached": False},
            "index": {"seconds": 4.3, "peak_rss_bytes": 700_000_000, "artifact_bytes": 9_000_000, "cached": False},
            "query": {"seconds": 8.1, "peak_rss_bytes": 650_000_000, "artifact_bytes": 0, "cached": False},
        },
        "machine": {"cpu": "Some CPU", "cores": 2},
        "provenance": {"git_commit": "abc", "git_dirty": False},
    }
    return {**copy.deepcopy(record), **changes}


def make_bound(recall: float = 0.61) -> dict[str, Any]:
    record = make_record("bayes", recall, oracle={}, work={"unit": "items scored", "mean": 20000, "share": 1.0})
    record["method"]["reference"] = True
    record["method"]["params"] = {}
    return record


def make_failure(name: str = "ease", status: str = "memory", error: str = "train grew past 2.0 GB") -> dict[str, Any]:
    empty: dict[str, Any] = {"metrics": {}, "oracle": {}, "work": {}, "latency_ms": {}, "phases": {}}
    return make_record(name, status=status, error=error, throughput_qps=None, **empty)


def make_turns(seconds: dict[str, float], course: Course) -> list[Turn]:
    """Turns of nine calls, by label its seconds a request give or take a hundredth."""
    rng, turns = np.random.default_rng(course.seed), []
    for start, label, each, kind in itertools.product(range(course.starts), seconds, range(ROUNDS), course.kinds):
        rows = np.full(9, -1, np.int32) if kind == "batch" else np.arange(9, dtype=np.int32)
        asked = course.requests if kind == "batch" else 1
        spent = asked * seconds[label] * rng.lognormal(0, 0.01, 9)
        turns.append(Turn(label, start, each, 0, 0.5, Repetitions(kind, rows, spent)))
    return turns


@pytest.fixture
def made() -> SimpleNamespace:
    """Makers of records: finished(name, recall, **changes), bound(recall), failure(name, status, error); and of
    turns(seconds by label, course)."""
    return SimpleNamespace(finished=make_record, bound=make_bound, failure=make_failure, turns=make_turns)


@pytest.fixture
def records() -> list[dict[str, Any]]:
    """Two methods, one without a scorer, the bound and a failure, in no order."""
    no_scorer = make_record("item_cf", 0.301, oracle={})
    return [make_failure(), no_scorer, make_bound(), make_record()]


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """call("run", ...) -> (exit code, stdout, stderr), in an empty folder with its own cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "120")

    def go(*words):
        with pytest.raises(SystemExit) as end:
            cli.main(list(words))
        shown = capsys.readouterr()
        return end.value.code, shown.out, shown.err

    return go


@pytest.fixture
def stored(tmp_path, made):
    """Two runs in ./results."""
    store = Store(tmp_path / "results")
    for spec, name, recall in (("aaaa0000aaaa0000", "dvf", 0.4), ("bbbb0000bbbb0000", "item_cf", 0.3)):
        with store.execution(spec) as folder:
            results.write(folder, made.finished(name, recall, spec_id=spec, timing="none"))
    return store
