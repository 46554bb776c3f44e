"""The errors a user can meet. Each message says what is wrong, where, and the mend.

BenchError
├── UsageError            the command asks for something that does not exist or does not fit
│   ├── UnknownName       no such method, data set, protocol, metric, parameter or run (the nearest name is suggested)
│   └── ParameterError    a value of the wrong type or outside its range
├── DataError             a card, file or column that cannot be used (names file, row and mend)
│   ├── ChecksumMismatch  the file is not the one that the card names
│   └── CorruptCache      a prepared file in the cache is damaged; delete it and it is built again
├── ProtocolError         the protocol cannot be applied to this data set
├── MethodError           a method broke the contract of its hooks
│   ├── HookError         a misspelt, missing or wrongly declared hook
│   └── InvalidAnswer     an answer that no metric may be computed from
├── Unavailable           something optional is missing here (a package, a device, a simulator's truth)
├── WorkerError           a phase's process ended without a result
│   ├── WorkerCrashed     killed, out of memory or an exception
│   ├── WorkerTimeout     ran past --timeout
│   └── WorkerMemory      grew past --memory
├── StoreError            results that cannot be read or written
└── ClusterError          a cluster that cannot be reached, or whose nodes are not set up alike
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class BenchError(Exception):
    """Root of all errors that a user can meet."""


class UsageError(BenchError):
    """The command asks for something that does not exist or does not fit."""


class UnknownName(UsageError):
    """A name that is not known; the message suggests the nearest and lists what there is.

    kind: "method", or with its place: "parameter of dvf", "column in the card".
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        noun, *place = re.split(r"(?= of | in )", kind, maxsplit=1)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.55)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        listing = ", ".join(names) if names else "none"
        super().__init__(f"there is no {noun} {name!r}{''.join(place)}.{hint} Known: {listing}.")


class ParameterError(UsageError):
    """A parameter's value has the wrong type or lies outside its range."""


class DataError(BenchError):
    """A card, file, row or column that cannot be used."""


class ChecksumMismatch(DataError):
    """The file is not the one that its card names."""


class CorruptCache(DataError):
    """A prepared file in the cache is damaged."""


class ProtocolError(BenchError):
    """The protocol cannot be applied to this data set."""


class MethodError(BenchError):
    """A method broke the contract of its hooks."""


class HookError(MethodError):
    """A hook is misspelt, missing or wrongly declared."""


class InvalidAnswer(MethodError):
    """An answer that no metric may be computed from: names method, request and reason."""


class Unavailable(BenchError):
    """Something optional is missing here: a package, a device, a simulator's truth."""


class WorkerError(BenchError):
    """A phase's process ended without a result."""


class WorkerCrashed(WorkerError):
    """A phase's process was killed or raised."""


class WorkerTimeout(WorkerError):
    """A phase ran past its time limit."""


class WorkerMemory(WorkerError):
    """A phase grew past its memory limit."""


class StoreError(BenchError):
    """Results that cannot be read or written."""


class ClusterError(BenchError):
    """A cluster cannot be reached, or its nodes are not set up alike."""
