"""From stored answers to metrics: the only place of a run that reads test targets."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.answer import Answer
from bench.catalog import metric_functions
from bench.data.tables import Catalog, Evaluation
from bench.data.task import Task
from bench.metrics.evaluate import Facts, summarise
from bench.metrics.index_loss import oracle_metrics
from bench.run.live import Change
from bench.run.plan import Plan
from bench.store import columns

PARTS = {"metrics": "test", "validation": "validation"}


def judge(task: Task, catalogs: Change, plan: Plan, out: Path, folder: Path) -> dict[str, Any]:
    """The record's metrics, validation and oracle; writes the per-request columns and the answers into `folder`.

    In a live run also what changed: targets that were removed do not count, and a request that had no other has no
    value.
    """
    found: dict[str, Any] = {}
    per_request: dict[str, dict[str, NDArray[Any]]] = {}
    answers: dict[str, tuple[NDArray[np.int64], Answer]] = {}
    for key, part in PARTS.items():
        if not (out / f"{part}_ids.npy").is_file():  # answers from outside need not be to both parts
            found[key] = {}
            continue
        evaluation = Evaluation(task.requests(part), catalogs.without_removed(task.targets(part)))
        answer = _answer(out, part)
        facts = facts_of(task, evaluation, catalogs.after)
        found[key], values = summarise(answer.ids, evaluation.targets, plan.ks, facts, plan.seed, metric_functions())
        keys = evaluation.requests.keys
        answers[part] = (np.asarray(keys), answer)
        per_request[part] = {
            "key": np.asarray(keys),
            "targets": evaluation.targets.lengths,
            "history": evaluation.requests.history.lengths,
            **values,
        }
        if answer.work is not None:
            per_request[part]["work"] = answer.work
        if part == "test":
            if (out / columns.TIMINGS).is_file():
                shutil.copyfile(out / columns.TIMINGS, folder / columns.TIMINGS)
            per_request[part] |= _latency(out, len(keys))
            found["oracle"] = _oracle(evaluation, facts, plan, answer.ids, out, folder)
    if plan.live is not None:
        found["live"] = {**dataclasses.asdict(plan.live), **_changed(task, catalogs)}
    columns.write_requests(folder / columns.REQUESTS, per_request)
    columns.write_answers(folder / "answers.parquet", answers)
    return found


def facts_of(task: Task, evaluation: Evaluation, catalog: Catalog) -> Facts:
    """What metrics need to know of the task beside answers and targets; catalog: what could be answered."""
    conventions, requests = task.about["conventions"], evaluation.requests
    return Facts(
        popularity=task.popularity(),
        first_seen=task.first_seen(),
        training_items=task.about["training_items"],
        history_lengths=requests.history.lengths,
        request_times=requests.times,
        seen=conventions["seen"],
        recall_over=conventions["recall_over"],
        history=requests.history,
        catalog_size=len(catalog.candidates()),
        requests=requests,
    )


def _changed(task: Task, catalogs: Change) -> dict[str, Any]:
    """How many items came and left, and what the test lost with those that left."""
    targets = task.targets("test")
    kept = catalogs.without_removed(targets)
    return {
        "added": len(catalogs.added),
        "removed": len(catalogs.removed),
        "dropped_targets": len(targets.values) - len(kept.values),
        "requests_without_target": int(np.count_nonzero(kept.lengths == 0)),
    }


def _oracle(
    evaluation: Evaluation, facts: Facts, plan: Plan, ids: NDArray[np.int32], out: Path, folder: Path
) -> dict[str, Any] | None:
    if not (out / "oracle_ids.npy").exists():
        return None
    rows, best = np.load(out / "oracle_rows.npy"), np.load(out / "oracle_ids.npy")
    keys, targets = np.asarray(evaluation.requests.keys), evaluation.targets
    columns.write_answers(folder / "oracle.parquet", {"test": (keys[rows], Answer(best))})
    return oracle_metrics(ids[rows], best, targets.take(rows), plan.ks, facts.take(rows), plan.seed)


def _answer(out: Path, part: str) -> Answer:
    def load(name: str) -> NDArray[Any] | None:
        path = out / f"{part}_{name}.npy"
        return np.load(path) if path.exists() else None

    ids = load("ids")
    assert ids is not None
    return Answer(ids, load("scores"), load("work"))


def _latency(out: Path, size: int) -> dict[str, NDArray[Any]]:
    """latency_ms float32 [B], the mean of each request's calls, NaN where it was not measured."""
    rows, seconds = columns.read_timings(out / columns.TIMINGS, "single")
    if not len(rows):
        return {}
    spent = seconds * 1e3
    calls = np.bincount(rows, minlength=size)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(rows, weights=spent, minlength=size) / calls
    return {"latency_ms": np.where(calls > 0, mean, np.nan).astype(np.float32)}
