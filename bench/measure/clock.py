"""The clock of a phase."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from time import perf_counter
from types import TracebackType
from typing import Any, Self


class Clock:
    """Seconds of a phase, `before` of an interrupted one included, without those in which numba compiled.

    What numba compiles at first use it keeps on disk for all later runs: whoever is the first to run a version of a
    method would else measure the compiler. compiled: seconds that this took, not in `seconds`.
    """

    def __init__(self, before: float = 0.0) -> None:
        self._before, self._open = before, ExitStack()
        self._compiling: Any = None
        self._begun, self._ended = perf_counter(), 0.0

    def __enter__(self) -> Self:
        if "numba" in sys.modules:
            from numba.core import event

            listener = event.TimingListener()  # type: ignore[no-untyped-call]
            self._compiling = self._open.enter_context(event.install_listener("numba:compile", listener))
        self._begun = perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended = perf_counter()
        self._open.close()

    @property
    def compiled(self) -> float:
        return float(self._compiling.duration) if self._compiling is not None and self._compiling.done else 0.0

    @property
    def seconds(self) -> float:
        return self._before + (self._ended or perf_counter()) - self._begun - self.compiled
