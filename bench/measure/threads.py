"""Keep a block of code to a number of threads, whatever library it calls."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from threadpoolctl import threadpool_limits

VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)


# How long GNU OpenMP's threads spin before they sleep at the end of each parallel region. Its default, milliseconds,
# makes two threads beside one other busy process five times slower (98 s of training against 22); this costs nothing.
SPIN = {"GOMP_SPINCOUNT": "10000"}


def environment(threads: int) -> dict[str, str]:
    """Variables that hold a new process to `threads` in every library that reads one, and let waiting threads sleep."""
    return dict.fromkeys(VARIABLES, str(threads)) | SPIN


def available() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """Limit BLAS and OpenMP pools to `threads`, and every thread of the process to as many cores (Linux)."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    with threadpool_limits(limits=threads):
        _pin(set(sorted(before)[:threads]))
        try:
            yield
        finally:
            _pin(before)


def _pin(cores: set[int]) -> None:
    tasks = Path("/proc/self/task")
    if not cores or not tasks.is_dir():
        return
    for task in tasks.iterdir():
        with contextlib.suppress(OSError):  # the thread has ended
            os.sched_setaffinity(int(task.name), cores)
