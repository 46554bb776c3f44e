"""Which methods, data sets and metrics are installed. Listing imports nothing; one is imported when it is asked for."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from bench.errors import HookError, Unavailable, UnknownName, UsageError

METHODS, DATASETS, METRICS = "bench.methods", "bench.datasets", "bench.metrics"
WRAPPERS = "bench.wrappers"  # of a method's name and class they make another class: "sharded:dvf"


@dataclass(frozen=True, slots=True)
class Entry:
    """One installed plugin: its name, "module:attribute" and the distribution that brings it."""

    name: str
    target: str
    distribution: str

    def load(self) -> Any:
        """The object itself; a plugin that fails on import is `Unavailable` with its error."""
        try:
            return EntryPoint(self.name, self.target, "bench").load()
        except Exception as error:
            raise Unavailable(
                f"the plugin {self.name!r} ({self.target}, from {self.distribution}) cannot be imported: "
                f"{type(error).__name__}: {error}. Mend or uninstall {self.distribution}."
            ) from error


def entries(group: str, found: Iterable[EntryPoint] | None = None) -> dict[str, Entry]:
    """The plugins of a group, by name; two of one name are refused by naming both."""
    result: dict[str, Entry] = {}
    for point in importlib.metadata.entry_points(group=group) if found is None else found:
        distribution = point.dist.name if point.dist else "unknown"
        entry = Entry(point.name, point.value, distribution)
        known = result.get(point.name)
        if known is not None and known != entry:
            raise UsageError(
                f"two plugins are called {point.name!r}: {known.target} from {known.distribution} and {entry.target} "
                f"from {entry.distribution}. Uninstall or rename one of them."
            )
        result[point.name] = entry
    return dict(sorted(result.items()))


def method_class(name: str) -> type:
    """The class of an installed method, of "path.py:Class", or of one that holds another: "sharded:dvf"."""
    around, held = parted(name)
    if around:
        wrapper = entries(WRAPPERS)[around[:-1]]
        return _checked(wrapper.load()(held, method_class(held)), name)
    if ".py:" in name:
        return _checked(from_file(name), name)
    if name.endswith(".py"):
        raise UsageError(f"{name} is a file: say which class of it is the method, {name}:CLASS")
    known = entries(METHODS)
    if name in entries(WRAPPERS):
        raise UsageError(f"{name} holds another method: say which, {name}:METHOD ({name}:two_tower)")
    if name not in known:
        raise UnknownName("method", name, [*known, *(f"{each}:METHOD" for each in entries(WRAPPERS))])
    return _checked(known[name].load(), name)


def parted(name: str) -> tuple[str, str]:
    """A method's name as what is around it, "sharded:", and the method held; "" and the name of a plain one."""
    around, colon, held = name.partition(":")
    return (around + colon, held) if colon and around in entries(WRAPPERS) else ("", name)


def from_file(source: str) -> Any:
    """The object that "path.py:Name" names."""
    text, _, attribute = source.rpartition(":")
    path = Path(text).resolve()
    if not path.is_file():
        raise UsageError(f"--plugin {source}: there is no file {path}")
    module_name = f"bench_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--plugin {source}: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise Unavailable(f"--plugin {source} cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        raise UnknownName(
            f"name in {path.name}", attribute, [name for name in vars(module) if not name.startswith("_")]
        )
    return getattr(module, attribute)


def metric_functions() -> dict[str, Callable[..., Any]]:
    """The metrics that plugins add, by name."""
    return {name: entry.load() for name, entry in entries(METRICS).items()}


def _checked(found: Any, name: str) -> type:
    if not isinstance(found, type) or not dataclasses.is_dataclass(found):
        raise HookError(f"method {name!r} is {found!r}, not a dataclass: put @dataclass above a class with the hooks")
    return found
