"""One function over the parts of a range, with several threads and the same result whatever their number."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_limits


def in_parts(size: int, part: int, threads: int, work: Callable[[int, int], None]) -> None:
    """Call work(lo, hi) for the consecutive ranges of length `part` (the last may be shorter) that make 0 .. size - 1.

    The ranges do not depend on `threads`, and matrix products within `work` take one thread each: since each range
    writes its own part of the result, the digits do not depend on `threads` either. `work` releases the interpreter
    lock where its time goes (numba kernels with nogil, matrix products).
    """
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max(1, threads)) as pool:
        begins = range(0, size, part)
        for done in [pool.submit(work, lo, min(lo + part, size)) for lo in begins]:
            done.result()
