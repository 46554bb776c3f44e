"""The choices that papers leave implied, named: what counts as a target, and what may be answered."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench import params
from bench.params import param


@dataclass(frozen=True, slots=True)
class Conventions:
    """How a task's targets, exclusions and candidates are formed. Stored with every task and result.

    Raises ParameterError for a value that is none of a field's choices.
    """

    seen: str = param(
        "filtered",
        choices=("filtered", "answered"),
        help="filtered: items of a request's history are neither targets nor answers; answered: they may be both",
    )
    repeats: str = param(
        "once", choices=("once", "each"), help="an item that is met several times counts as one target or as several"
    )
    recall_over: str = param("all", choices=("all", "min_k"), help="recall is divided by all targets or by min(k, all)")
    candidates: str = param(
        "catalog",
        choices=("catalog", "training"),
        help="what may be answered: the whole query catalog, or only items that occur in training",
    )
    ties: str = param(
        "hash",
        choices=("hash", "file"),
        help="equal timestamps are ordered by a fixed hash of the raw ids, or as in the source file (which leaks)",
    )

    def __post_init__(self) -> None:
        for parameter in params.parameters(Conventions).values():
            params.convert(parameter, getattr(self, parameter.name))

    def as_dict(self) -> dict[str, str]:
        """For JSON: {"seen": "filtered", ...}."""
        return dataclasses.asdict(self)
