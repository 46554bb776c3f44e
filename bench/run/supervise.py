"""Jobs in fresh processes: pass their progress on, hold their limits, and leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from bench import errors
from bench.measure.energy import ENVIRONMENT
from bench.measure.memory import anonymous_bytes
from bench.measure.threads import environment
from bench.run.job import Job
from bench.run.plan import Limits

POLL_SECONDS = 0.1


class Watch(Protocol):
    """Whoever looks on while a run goes: a terminal, a test, nobody."""

    def stage(self, name: str, note: str = "") -> None:
        """A new stage begins: prepare, train, index, query ..."""

    def progress(self, done: float, total: float, note: str = "") -> None:
        """`done` of `total` of the stage at hand."""

    def log(self, line: str) -> None:
        """Something that a person should read once."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process at work on a job, and the pipe that it speaks into."""

    process: subprocess.Popen[bytes]
    voice: int
    name: str
    folder: Path
    limits: Limits

    def events(self) -> Iterator[dict[str, Any]]:
        """What it tells until it ends; raises WorkerCrashed, WorkerTimeout, WorkerMemory or what the worker raised."""
        for event in _events(self.voice, self.process, self.name, self.limits):
            if event["event"] == "failed":
                raise failure(event)
            yield event
        if self.process.wait() != 0:
            raise errors.WorkerCrashed(_epitaph(self.name, self.process.returncode, self.folder))

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Its answer to a question, of a worker opened with a pipe as its standard input; raises as `events` does."""
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # its events say why it is gone
                self.process.stdin.write(json.dumps(question).encode() + b"\n")
                self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next event "answer"; the time limit is of the wait for it."""
        for event in self.events():
            if event["event"] == "answer":
                return event
        raise errors.WorkerCrashed(_epitaph(self.name, 0, self.folder))


@contextlib.contextmanager
def opened(job: Job, folder: Path, limits: Limits, stdin: int = subprocess.DEVNULL) -> Iterator[Worker]:
    """A worker that begins its job. `folder` receives the job file and `log.txt`, to which everything that the worker
    prints is appended. However the block ends, the worker and its children have ended too.
    """
    name = "+".join(job.phases)
    path = folder / f"job-{name}.json"
    job.write(path)
    read, write = os.pipe()
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.run.worker", str(path), str(write), str(os.getpid())],
            stdin=stdin,
            stdout=log,
            stderr=log,
            pass_fds=(write,),
            start_new_session=True,  # Ctrl-C reaches the harness alone, which ends the whole group
            env={**os.environ, **environment(job.threads), **ENVIRONMENT},
        )
    os.close(write)
    try:
        yield Worker(process, read, name, folder, limits)
    finally:
        os.close(read)
        _end(process)


def carry_out(job: Job, folder: Path, limits: Limits, watch: Watch) -> dict[str, Any]:
    """The worker's measurements; raises as `Worker.events` does."""
    measured: dict[str, Any] = {}
    with opened(job, folder, limits) as worker:
        for event in worker.events():
            kind = event.pop("event")
            if kind == "stage":
                watch.stage(event["name"])
            elif kind == "progress":
                watch.progress(event["done"], event["total"], event["note"])
            elif kind == "measured":
                measured.update(event["values"])
    return measured


def _events(read: int, process: subprocess.Popen[bytes], name: str, limits: Limits) -> Iterator[dict[str, Any]]:
    """The worker's events until it closes its end; raises when a limit is passed."""
    begun, pending = monotonic(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(read, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None  # asked first: what it wrote before its end is still read
            if selector.select(0 if ended else POLL_SECONDS):
                chunk = os.read(read, 1 << 16)
                if not chunk:
                    return
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
            elif ended:
                return  # without closing its end: a process that it left behind holds the pipe open
            if limits.seconds is not None and monotonic() - begun > limits.seconds:
                raise errors.WorkerTimeout(
                    f"{name} was ended after {limits.seconds:g} s, the limit that --timeout sets; raise it or do less"
                )
            if limits.memory_bytes is not None and (used := anonymous_bytes(process.pid)) > limits.memory_bytes:
                raise errors.WorkerMemory(
                    f"{name} was ended at {used / 2**30:.2f} GiB of memory, over --memory "
                    f"{limits.memory_bytes / 2**30:.2f} GiB; raise it or give less work"
                )


def failure(event: dict[str, Any]) -> errors.BenchError:
    """What another process raised, as the same class where it is one of ours."""
    known = getattr(errors, event["kind"], None)
    if isinstance(known, type) and issubclass(known, errors.BenchError) and event["kind"] != "UnknownName":
        error: errors.BenchError = known(event["message"])
    else:
        error = errors.WorkerCrashed(f"{event['kind']}: {event['message']}")
    error.add_note(event["traceback"])
    return error


def _epitaph(name: str, code: int, folder: Path) -> str:
    log = folder / "log.txt"
    tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:] if log.exists() else []
    said = f" Its last words: {' | '.join(tail)}" if tail else ""
    if code == -signal.SIGKILL:
        return f"{name} was killed (signal 9): by a person, or by the system for want of memory.{said}"
    if code < 0:
        return f"{name} died of signal {-code} ({signal.Signals(-code).name}).{said}"
    return f"{name} ended with exit code {code} and without a result.{said}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the worker's whole session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    process.wait()
