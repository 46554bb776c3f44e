"""One run in full, and one of its requests: history, targets and answers by their titles."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.data.ragged import Ragged
from bench.data.task import Task
from bench.errors import StoreError, UsageError
from bench.report import wording
from bench.report.columns import PHASES, Record, depths, lookup, measured, number, scored_share
from bench.report.rows import group, protocol_text, succeeded
from bench.report.verdict import failure, verdict
from bench.store import columns

LOG_LINES = 12
HISTORY = 12
SHOWN = {"oracle": ("recall", "index_loss", "coverage"), "validation": ("recall", "ndcg")}


def run(record: Record, folder: Path) -> RenderableType:
    """What was run, on what, with what outcome; the log's end for a failure."""
    task = group([record])[0]
    name = str(lookup(record, "method", "name"))
    parts: list[RenderableType] = [
        Text.assemble((f"{name} on {task.title}", "bold"), (f"  {record.get('run_id')}", "dim")),
        Text(task.facts, "dim"),
    ]
    sentence = verdict(name, record, task) if succeeded(record) else failure(name, record)
    parts += [Text(sentence.text, "red" if sentence.failed else ""), _facts(record, folder)]
    if succeeded(record):
        parts += [
            _metrics(record),
            Text(f"One request in full: bench inspect {str(record.get('run_id'))[:8]} --request 0", "dim"),
        ]
    else:
        trace = str(record.get("traceback") or record.get("error") or "").strip()
        parts += [Text(trace), *_log(folder, trace)]
    return Group(*parts)


def request(record: Record, folder: Path, task: Task, at: int, top: int) -> RenderableType:
    """Request number `at` of the test part: its history, its targets and its first `top` answers, hits marked."""
    keys, answers = columns.read_answers(folder)
    if not 0 <= at < len(keys):
        raise UsageError(f"--request {at}: this run has requests 0 to {len(keys) - 1}")
    requests, targets = task.requests("test"), np.asarray(task.targets("test")[at])
    row = int(np.flatnonzero(np.asarray(requests.keys) == keys[at])[0])
    answered = np.asarray(answers[at])
    ranks = {int(item): rank for rank, item in enumerate(answered, 1)}
    found = [ranks[int(item)] for item in targets if int(item) in ranks]
    user = int(requests.users[row])
    who = f"user {user} of the training data" if user >= 0 else "a user whom training has not seen"
    moment = f", {_moment(int(requests.times[row]))}" if requests.times is not None else ""
    parts: list[RenderableType] = [
        Text(f"Request {at} of {len(keys)}: {who}{moment}", "bold"),
        _history(task, requests.history, requests.history_times, row),
        _targets(task, targets, ranks),
        _answers(task, answered[:top], set(map(int, targets))),
    ]
    said = f"{len(found)} of {len(targets)} targets are among the {len(answered)} answers"
    parts.append(Text(said + (f", the first at rank {min(found)}." if found else ".")))
    return Group(*parts)


def task_of(record: Record, cache: Path) -> Task:
    """The task that a run answered, from the cache."""
    folder = cache / "tasks" / str(lookup(record, "task", "folder"))
    if not folder.is_dir():
        raise StoreError(
            f"the task of run {record.get('run_id')} is not in the cache ({folder}): name the cache by --cache, "
            f"or make it again by the same bench run"
        )
    return Task.open(folder)


def _facts(record: Record, folder: Path) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    params = lookup(record, "method", "params") or {}
    provenance: dict[str, Any] = record.get("provenance") or {}
    commit = str(provenance.get("commit", "unknown"))[:12] + (" with changes" if provenance.get("dirty") else "")
    libraries = lookup(record, "machine", "libraries") or {}
    rows = [
        ("status", str(record.get("status"))),
        ("parameters", ", ".join(f"{key}={value}" for key, value in params.items()) or "none"),
        ("seed, k", f"{record.get('seed')}, {record.get('k')}"),
        ("protocol", _protocol(record)),
        ("task", str(lookup(record, "task", "fingerprint"))[:16]),
        ("machine", _machine(record)),
        ("versions", ", ".join(f"{name} {version}" for name, version in libraries.items())),
        ("started", f"{provenance.get('started', 'unknown')}, commit {commit}"),
        ("files", str(folder)),
    ]
    for phase in PHASES:
        said = lookup(record, "phases", phase)
        if isinstance(said, dict):
            text = wording.duration(number(said.get("seconds")) or 0.0)
            text += f", peak {wording.size(number(said.get('peak_rss_bytes')))}"
            text += f", artifact {wording.size(said['artifact_bytes'])}" if said.get("artifact_bytes") else ""
            compiled = number(said.get("compiled_seconds"))
            text += f", and {wording.duration(compiled)} of compiling at first use" if compiled else ""
            rows.append((phase, text + (", from the cache" if said.get("cached") else "")))
            for passed in said.get("milestones", []):
                reached = [f"{key} {value:.4g}" for key, value in passed.items() if key not in ("name", "seconds")]
                rows.append((f"  {passed['name']}", ", ".join([wording.duration(passed["seconds"]), *reached])))
    live = record.get("live") or {}
    if "added" in live:
        text = f"{wording.count(live['added'])} items came and {wording.count(live['removed'])} left after indexing"
        lost = f", {wording.count(live['dropped_targets'])} targets with them" if live["dropped_targets"] else ""
        rows.append(("live catalog", text + lost))
    latency = record.get("latency_ms") or {}
    if latency:
        named = [f"{key} {wording.milliseconds(number(latency.get(key)))}" for key in ("mean", "p50", "p95", "p99")]
        floor = number(latency.get("floor_p50"))
        rows.append(("latency, ms", ", ".join(named) + (f" (harness: {wording.milliseconds(floor)})" if floor else "")))
    for name, told in (record.get("told") or {}).items():
        for key, found in told.items():
            rows.append((f"  {name}, {key}", ", ".join(f"{each} {value:.4g}" for each, value in found.items())))
    if record.get("throughput_qps"):
        rows.append(("throughput", f"{wording.count(number(record['throughput_qps']))} requests a second"))
    rows += _load(record)
    work = record.get("work") or {}
    if work:
        share = f", {wording.percent(scored_share(record))} of the catalog" if scored_share(record) else ""
        rows.append(("work", f"{wording.count(number(work.get('mean')))} {work.get('unit')} a request{share}"))
    for key, value in rows:
        table.add_row(key, value)
    return table


def _load(record: Record) -> list[tuple[str, str]]:
    """What a server of one process carries, what a GPU took, and what else the machine did meanwhile."""
    rows = []
    if load := record.get("load"):
        tried = len(load["trials"])
        held = f"{wording.count(load['rate'])} requests a second" if load["rate"] else "no rate tried"
        rows.append(("load", f"{held} keeps p99 within {load['slo_ms']:g} ms, of {tried} rates with Poisson arrivals"))
    if device := record.get("device"):
        latency = device["latency_ms"] or {}
        named = [f"{key} {wording.milliseconds(number(latency.get(key)))}" for key in ("mean", "p50", "p95", "p99")]
        rows.append(("on the device", f"{', '.join(named)} ms, {wording.count(device['throughput_qps'])} a second"))
    if (competing := number(record.get("competing_cores"))) is not None:
        processor = lookup(record, "machine", "processor") or {}
        known = [f"governor {processor['governor']}" if processor.get("governor") else ""]
        known += [f"{processor['mhz']:,} MHz" if processor.get("mhz") else ""]
        said = f"{wording.proportion(competing, 2)} cores of other work while timed"
        rows.append(("other work", ", ".join([said, *filter(None, known)])))
    return rows


def _metrics(record: Record) -> Table:
    """Metrics as rows, depths as columns; group metrics below."""
    ks = depths([record])
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric")
    for k in ks:
        table.add_column(f"@{k}", justify="right")
    for part, prefix in (("metrics", ""), ("oracle", "oracle "), ("validation", "validation ")):
        names = dict.fromkeys(_split(name) for name in record.get(part) or {} if "@" in name)
        for name in names:
            if part not in SHOWN or name.partition("/")[0] in SHOWN[part]:
                shown = name if name.startswith("index_loss") else prefix + name
                table.add_row(shown, *(_interval(record, part, name, k) for k in ks))
    return table


def _interval(record: Record, part: str, name: str, k: int) -> str:
    metric, _, which = name.partition("/")
    key = f"{metric}@{k}" + (f"/{which}" if which else "")
    value, found = measured(record, part, key), lookup(record, part, key)
    if value is None:
        return wording.NOTHING
    text = wording.percent if "loss" in metric else wording.proportion
    if not isinstance(found, dict) or found.get("low") is None:
        return text(value)
    return f"{text(value)} ({text(found['low'])} to {text(found['high'])})"


def _split(name: str) -> str:
    """A metric's name without its depth."""
    metric, _, rest = name.partition("@")
    return metric + "".join(rest.partition("/")[1:])


def _machine(record: Record) -> str:
    said = f"{lookup(record, 'machine', 'cpu')}, {lookup(record, 'machine', 'cores')} cores"
    host = lookup(record, "machine", "host")
    return f"{said}, host {host}" if host else said


def _protocol(record: Record) -> str:
    parameters = lookup(record, "task", "protocol", "parameters") or {}
    return ", ".join([protocol_text(record), *(f"{key}={value}" for key, value in parameters.items())])


def _log(folder: Path, said: str) -> list[RenderableType]:
    """The end of the log, unless it says what was said already."""
    path = folder / "log.txt"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if not lines or said.endswith("\n".join(lines[-2:])):
        return []
    return [Text(f"The end of {path}:", "bold"), Text("\n".join(lines[-LOG_LINES:]), "dim")]


def _history(task: Task, history: Ragged, times: Ragged | None, row: int) -> RenderableType:
    items = np.asarray(history[row])
    table = Table(
        box=SIMPLE_HEAD, pad_edge=False, title=f"History: {len(items)} items, newest first", title_justify="left"
    )
    table.add_column("item")
    table.add_column("when")
    moments = [""] * len(items) if times is None else [_moment(int(time)) for time in np.asarray(times[row])]
    newest = items[::-1][:HISTORY]
    for label, moment in zip(task.labels(newest), moments[::-1], strict=False):
        table.add_row(label, moment)
    if len(items) > HISTORY:
        table.add_row(Text(f"… and {len(items) - HISTORY} earlier", "dim"), "")
    return table


def _targets(task: Task, targets: NDArray[np.int32], ranks: dict[int, int]) -> RenderableType:
    title = f"Targets: {len(targets)}"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    table.add_column("item")
    table.add_column("answered at", justify="right")
    popularity = task.popularity()
    table.add_column("popularity", justify="right")
    shown = targets[:40]
    for item, label in zip(shown, task.labels(shown), strict=True):
        rank = ranks.get(int(item))
        where = Text(str(rank), "green") if rank else Text("not found", "dim")
        table.add_row(Text(label, "green" if rank else ""), where, wording.count(int(popularity[int(item)])))
    if len(targets) > len(shown):
        table.add_row(Text(f"… and {len(targets) - len(shown)} more", "dim"), "", "")
    return table


def _answers(task: Task, answered: NDArray[np.int32], targets: set[int]) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"Answers: the first {len(answered)}", title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("item")
    table.add_column("popularity", justify="right")
    popularity = task.popularity()
    for rank, (item, label) in enumerate(zip(answered, task.labels(answered), strict=True), 1):
        hit = int(item) in targets
        mark = Text(f"{rank:>3} ✓" if hit else f"{rank:>3}", "green" if hit else "dim")
        table.add_row(mark, Text(label, "green" if hit else ""), wording.count(int(popularity[int(item)])))
    return table


def _moment(seconds: int) -> str:
    try:
        return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return str(seconds)
