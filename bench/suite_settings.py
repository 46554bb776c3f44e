"""Which settings of a suite reach which method, and what is refused before anything runs."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import params
from bench.catalog import method_class
from bench.errors import BenchError, UnknownName, UsageError
from bench.run.plan import Plan


def taken(said: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Of what a task says for all methods, that which this one has as parameters."""
    try:
        declared = params.parameters(method_class(method))
    except BenchError:
        return dict(said)  # its run says so
    return {name: value for name, value in said.items() if name in declared}


def refuse_unknown(said: Mapping[str, Any], methods: Collection[str], where: str) -> None:
    """Refuse (UnknownName) what a task says for all methods and none of those that it meets has as a parameter."""
    known: set[str] = set()
    for method in methods:
        try:
            known |= set(params.parameters(method_class(method)))
        except BenchError:
            return  # its run says so; it may be that one's
    for name in said if methods else ():
        if name not in known:
            raise UnknownName(f"parameter of a method in {where}", name, known)


def check_settings(plans: Iterable[Plan], own: Iterable[str], path: Path, task: str, at: int) -> None:
    """Refuse a setting that the method does not take. own: the names that its own table says, the task the rest; at:
    which of the suite's methods it is."""
    for plan in plans:
        try:
            cls = method_class(plan.method)
        except BenchError:
            return  # its run says so
        with named(f"{path}: task {task!r} for {plan.method}"):
            params.resolve(cls, {name: value for name, value in plan.settings.items() if name not in own})
        with named(f"{path}: [[methods]] number {at}: {plan.method}"):
            params.build(cls, plan.settings)


@contextlib.contextmanager
def named(where: str) -> Iterator[None]:
    """What is wrong with a value is said with file and table."""
    try:
        yield
    except UsageError as error:
        error.args = (f"{where}: {error}",)
        raise
