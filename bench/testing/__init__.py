"""`check_method`: does a method keep the promises of its hooks? For the tests of whoever writes one.

from bench.testing import check_method

def test_it_keeps_the_contract():
    check_method(LSH, {"bits": 8})
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from time import process_time
from typing import Any

from threadpoolctl import threadpool_limits

from bench.testing import checks
from bench.testing.answers import asked
from bench.testing.instance import Subject
from bench.testing.world import make_world

__all__ = ["check_device", "check_method"]

CHECK_CPU_SECONDS = 120


def check_method(cls: type, settings: Mapping[str, Any] | None = None) -> None:
    """Check the method `cls`, with `settings` in place of its parameters' defaults, on small made data, in seconds.

    Checked: the hooks' names and arguments; answers of the right shape and types, ids in range, distinct, neither
    excluded nor ineligible, best first, pads last; the same answers under the same seed, one request at a time as all
    at once, and from a fresh instance after save and load (without pickles); `score` equal to the answers' scores; k
    above the catalog, no request at all, an empty history, a user or item that training never saw, a catalog of one
    item, data without features or times; one thread where the context says one; after `update` no removed item is
    answered and every added one can be. Equal means: scores within a thousandth of the largest, and items of such equal
    scores in any order. Arrays are read-only, as in a run.

    Choose settings that make training small. Raises AssertionError (or the error of bench.errors that a run would meet)
    saying what was expected; an exception of the method itself passes through with a note of what was being checked.
    """
    subject = Subject(cls, dict(settings or {}))
    begun = process_time()
    with _thread_settings_kept():
        world = make_world()
        with _noting("training and answering"):
            ready = subject.ready(world)
            answer = asked(ready, world, world.requests)
        for check in (checks.check_requests, checks.check_singles, checks.check_scorer, checks.check_threads):
            with _noting(check.__name__):
                check(ready, world, answer)
        for test in (
            checks.check_seed_and_saving,
            checks.check_update,
            checks.check_eligible,
            checks.check_one_item,
            checks.check_bare,
        ):
            with _noting(test.__name__):
                test(subject, world, answer)
    spent = process_time() - begun
    assert spent < CHECK_CPU_SECONDS, (
        f"{cls.__qualname__}: the checks took {spent:.0f} CPU seconds, over {CHECK_CPU_SECONDS}: pass settings that "
        f"make training on {len(world.training.interactions)} interactions small"
    )


def check_device(cls: type, settings: Mapping[str, Any] | None = None, *, device: str) -> None:
    """Check the method `cls` on a device such as "cuda", on small made data.

    Checked: what was trained and indexed on the CPU gives the same answers when it is loaded there (as `check_method`
    means the same); what is trained there gives valid answers, the same when asked again, ordered by its `score`.
    Raises as `check_method` does.
    """
    with _noting(f"on {device}"):
        checks.check_device(Subject(cls, dict(settings or {})), make_world(), device)


@contextlib.contextmanager
def _noting(check: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(f"bench.testing: {check.replace('_', ' ')}")
        raise


@contextlib.contextmanager
def _thread_settings_kept() -> Iterator[None]:
    """BLAS and OpenMP on one thread; torch's and numba's settings afterwards as before, where they are loaded."""
    modules = [sys.modules[name] for name in ("torch", "numba") if name in sys.modules]
    before = [module.get_num_threads() for module in modules]
    try:
        with threadpool_limits(1):
            yield
    finally:
        for module, threads in zip(modules, before, strict=True):
            module.set_num_threads(threads)
