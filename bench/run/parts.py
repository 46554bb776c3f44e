"""Methods that serve a part of the catalog each, asked hook by hook: in this process, or each in one of its own."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bench.context import Context
from bench.errors import WorkerCrashed
from bench.measure.latency import spent
from bench.measure.memory import peak_of
from bench.run.hooks import connect
from bench.run.supervise import failure

CLOSING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a hook gave, and the seconds that it took where the part is, without the way there and back."""

    value: Any
    seconds: float


@dataclass(frozen=True)
class Question:
    """A hook to carry out, with these arguments, and a context where it takes one. packed: for a pipe, once for all
    that are asked."""

    hook: str
    arguments: Mapping[str, Any]
    context: Context | None = None

    @cached_property
    def packed(self) -> memoryview:
        lent = None if self.context is None else Lent.of(self.context)
        return ForkingPickler.dumps((self.hook, dict(self.arguments), lent))


class Part(Protocol):
    """A method that has been indexed over some of the items. Each `ask` is followed by one `reply`, so that several
    parts work at once. An actor of a cluster is one where it has these four."""

    def ask(self, question: Question) -> None:
        """Begin to carry it out."""

    def reply(self) -> Reply:
        """What came of it, once it is there; raises what the hook raised, or WorkerCrashed where the part has ended."""

    @property
    def peak_rss_bytes(self) -> int:
        """The most resident memory that the part's own process has had, 0 where it has none of its own."""

    def close(self) -> None:
        """End it; it is asked no more."""


class InProcess:
    """A part in this process: it works when it is asked."""

    peak_rss_bytes = 0

    def __init__(self, method: object) -> None:
        self._hooks = connect(method)
        self._reply: Reply | None = None

    def ask(self, question: Question) -> None:
        hook = getattr(self._hooks, question.hook)
        lent = {} if question.context is None else {"context": question.context}
        self._reply = Reply(*spent(lambda: hook(**question.arguments, **lent)))

    def reply(self) -> Reply:
        assert self._reply is not None, "a part is asked before it replies"
        reply, self._reply = self._reply, None
        return reply

    def close(self) -> None:
        """Nothing to end."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a process needs to hold a method: its name and parameters as in a Job, and the folders that its `save`
    wrote, by phase, which it loads in their order. It is part `number` of `shards`, with random numbers of its own."""

    method: str
    params: dict[str, Any]
    load: dict[str, str]
    number: int
    shards: int


@dataclass(frozen=True, slots=True)
class Lent:
    """What of a context can be sent to another process."""

    seed: int
    device: str
    threads: int
    scratch: Path

    @classmethod
    def of(cls, context: Context) -> Lent:
        return cls(context.seed, context.device, context.threads, context.scratch)

    def context(self, rng: np.random.Generator, name: str) -> Context:
        log = logging.getLogger(name)
        return Context(self.seed, rng, self.device, self.threads, self.scratch, lambda done, total, note="": None, log)


class OwnProcess:
    """A part in a fresh process (bench.run.part), which loads the method when it begins and ends with this one, however
    this one ends: its end of the pipe closes. `reply` is first owed for that loading.

    What goes through the pipe is pickled between two processes of one run; no file is.
    """

    def __init__(self, name: str, beginning: Beginning, context: Context) -> None:
        self.name = name
        self._pipe, other = multiprocessing.Pipe()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.run.part", str(other.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
            )
        self._send(ForkingPickler.dumps((beginning, Lent.of(context))))

    def ask(self, question: Question) -> None:
        self._send(question.packed)

    def reply(self) -> Reply:
        try:
            found = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise WorkerCrashed(self._epitaph()) from None
        if isinstance(found, Reply):
            return found
        error = failure(found)
        error.args = (f"{self.name}: {error}",)
        raise error

    @property
    def peak_rss_bytes(self) -> int:
        return peak_of(self._process.pid)

    def close(self) -> None:
        self._pipe.close()
        try:
            self._process.wait(CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, message: memoryview) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the reply says so
            self._pipe.send_bytes(message)

    def _epitaph(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSING_SECONDS)
        if self._process.returncode == -signal.SIGKILL:
            return f"{self.name} was killed (signal 9): by a person, or by the system for want of memory"
        return f"{self.name} ended without a reply, with exit code {self._process.returncode}"
