"""The clock of a phase."""

from __future__ import annotations

from contextlib import ExitStack
from time import perf_counter, process_time, thread_time
from types import TracebackType
from typing import Any, Self

from numba.core import event


class Clock:
    """Seconds of a phase, without those in which numba compiled and no other thread of the process worked.

    What numba compiles at first use it keeps on disk for all later runs: whoever is the first to run a version of a
    method would else measure the compiler. before: seconds of an interrupted phase, which are added as they are.
    """

    def __init__(self, before: float = 0.0) -> None:
        self._before, self._open, self._compiling = before, ExitStack(), _Compiling()
        self._begun = self._ended = 0.0

    def __enter__(self) -> Self:
        self._open.enter_context(event.install_listener("numba:compile", self._compiling))
        self._begun = perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended = perf_counter()
        self._open.close()

    @property
    def seconds(self) -> float:
        """So far, or, after the phase, in all."""
        return self._before + (self._ended or perf_counter()) - self._begun - self._compiling.seconds

    @property
    def times(self) -> dict[str, float]:
        """What a record says: `seconds`, and those of compiling, which are not in them."""
        return {"seconds": self.seconds, "compiled_seconds": self._compiling.seconds}


class _Compiling(event.Listener):
    """Adds up `seconds` in which numba compiled: of each time, those in which other threads worked are not counted.
    numba compiles in one thread at a time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth, self._begun = 0, (0.0, 0.0, 0.0)

    def on_start(self, event: Any) -> None:
        if not self._depth:
            self._begun = perf_counter(), process_time(), thread_time()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if not self._depth:
            begun, process, thread = self._begun
            others = process_time() - process - (thread_time() - thread)
            self.seconds += max(0.0, perf_counter() - begun - max(0.0, others))
