"""A run carried out again from its record."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.cache import begin
from bench.data.conventions import Conventions
from bench.errors import UsageError
from bench.run.lifecycle import run
from bench.run.outside import ORIGIN
from bench.run.plan import Home, Live, Plan
from bench.run.supervise import Watch
from bench.run.timing import SLO_MS

Record = Mapping[str, Any]


def plan_of(record: Record) -> Plan:
    """What the run of `record` was asked for; raises UsageError where the record does not say it or nothing was run."""
    method, task, provenance = record["method"], record["task"], record["provenance"]
    called, asked = f"run {record['run_id']}", provenance.get("asked") or {}
    if record["status"] != "ok":
        raise UsageError(f"{called} ended as {record['status']!r}: it has no result that could be had again")
    if method["params"].get("origin") == ORIGIN:
        raise UsageError(f"{called} is of answers from outside: bench score measures such a file, nothing here made it")
    source = str(asked.get("method") or method["name"])
    files = {"its method": source.rpartition(":")[0] if ".py:" in source else None}
    files |= {"its data": asked.get("data"), "its eligible items": asked.get("eligible")}
    for what, name in files.items():
        if name is not None and not Path(name).is_file():
            raise UsageError(f"{called}: {what} were read from {name}, which is not there; put the file back")
    protocol = task["protocol"]
    settings = ",".join(f"{key}={value}" for key, value in protocol["parameters"].items() if value not in (None, ""))
    live = record.get("live")
    return Plan(
        method=source,
        dataset=task["dataset"],
        data=None if asked.get("data") is None else Path(asked["data"]),
        columns=asked.get("columns"),
        protocol=f"{protocol['name']}:{settings}" if settings else protocol["name"],
        settings=method["params"],
        conventions=Conventions(**task["conventions"]),
        eligible=None if asked.get("eligible") is None else Path(asked["eligible"]),
        live=None if live is None else Live(live["remove"]),
        ks=tuple(asked.get("ks") or _depths(record)),
        seed=record["seed"],
        device=provenance.get("device", "cpu"),
        threads=provenance["build"]["threads"],
        timing=record["timing"],
        slo_ms=float(asked.get("slo_ms", SLO_MS)),
    )


def carry_out_again(plan: Plan, home: Home, watch: Watch) -> dict[str, Any]:
    """The record of `plan`, trained and indexed anew; what that leaves is removed, the record is kept in the store."""
    temporary = begin(home.cache / "scratch", "again")
    try:
        return run(plan, dataclasses.replace(home, artifacts=temporary), watch, again=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _depths(record: Record) -> list[int]:
    return sorted(
        int(name.partition("@")[2]) for name in record["metrics"] if name.startswith("recall@") and "/" not in name
    )
