"""What happens on a node: one run of a sweep, told about to whoever sent it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from bench.cache import begin, write_text
from bench.cluster.demand import Demand
from bench.commands.series import record_of
from bench.errors import ClusterError
from bench.run.plan import Home, Plan
from bench.run.prepared import method_of
from bench.store.results import Store

TELL_SECONDS = 1.0  # between two messages of progress; a stage is told at once
Tell = Callable[[int, "News"], object]


@dataclass(frozen=True, slots=True)
class News:
    """What a run does now; `share` of its stage where that is known. `line`, where there is one, is to be read once."""

    host: str
    stage: str
    share: float | None = None
    note: str = ""
    line: str = ""


@dataclass(frozen=True, slots=True)
class Errand:
    """A run for a node that has what is `wanted`. number: by which it is told of; folder: against which the plan's
    relative paths are meant.

    source: the digest of the method where the sweep was started, which the node's must equal, "" where it is not there.
    tokens: files in results and cache that a node must see; without them, what is new goes to `home.elsewhere` and
    `known` are the results (run id to text) that may answer the run.
    """

    number: int
    plan: Plan
    wanted: Demand
    home: Home
    folder: Path
    source: str
    tokens: tuple[Path, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Return:
    """What came of it. worked: it was carried out, not answered from the store or refused."""

    record: dict[str, Any]
    host: str
    seconds: float
    worked: bool


class Reporter:
    """A `Watch` that tells somebody elsewhere."""

    def __init__(self, number: int, tell: Tell) -> None:
        self._number, self._tell, self._host = number, tell, platform.node()
        self._stage, self._told = "", 0.0
        self.stages: list[str] = []

    def stage(self, name: str, note: str = "") -> None:
        self.stages.append(name)
        self._stage, self._told = name, monotonic()
        self._tell(self._number, News(self._host, name, note=note))

    def progress(self, done: float, total: float, note: str = "") -> None:
        now = monotonic()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            share = min(1.0, done / total) if total > 0 else None
            self._tell(self._number, News(self._host, self._stage, share, note))

    def log(self, line: str) -> None:
        self._tell(self._number, News(self._host, self._stage, line=line))


def carry_out(errand: Errand, tell: Tell) -> Return:
    """Carry out the run on this machine; raises ClusterError where the node is not set up like the sender, StoreError
    where its result cannot be kept. Any other failure is a record.
    """
    begun, watch = monotonic(), Reporter(errand.number, tell)
    if errand.folder.is_dir():
        os.chdir(errand.folder)  # a process of Ray serves one task at a time
    _check(errand)
    with _home(errand) as home:
        record = record_of(errand.plan, home, watch)
        if home.elsewhere is not None and record["run_id"] and record["run_id"] not in errand.known:
            home.elsewhere.offer_run(Store(home.results).folder(record["run_id"]))
    worked = not set(watch.stages) <= {"data", "prepare"}
    return Return(record, platform.node(), monotonic() - begun, worked)


def _check(errand: Errand) -> None:
    host = platform.node()
    unseen = [token.parent for token in errand.tokens if not token.is_file()]
    if unseen:
        raise ClusterError(
            f"node {host} does not see {unseen[0]}: --results and --cache must lie in a folder that all "
            f"nodes share; without one, hand results on by --through URL"
        )
    method = method_of(errand.plan)
    if errand.source and method.source != errand.source:
        said = str(method.problem) if method.problem else "its code is another than here"
        raise ClusterError(f"{method.name} on node {host}: {said}; install the same packages on every node")


@contextlib.contextmanager
def _home(errand: Errand) -> Iterator[Home]:
    """The folders to work in: the errand's, but where results go elsewhere they are made in a folder of this run."""
    if errand.home.elsewhere is None:
        yield errand.home
        return
    results = begin(errand.home.cache / "scratch", "results")
    try:
        for run, text in errand.known.items():
            folder = results / "runs" / run
            folder.mkdir(parents=True)
            write_text(folder / "result.json", text)
        yield dataclasses.replace(errand.home, results=results)
    finally:
        shutil.rmtree(results, ignore_errors=True)
