"""Typed, validated, phase-tagged parameters: the fields of a method's (or protocol's) dataclass."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import ParameterError, UnknownName

PHASES = ("train", "index", "query")
_KEY = "bench.param"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What `param()` says of a field, beside its type and default."""

    phase: str
    help: str
    sweep: tuple[Any, ...] = ()
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    log: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a method: its name, type, default and declaration."""

    name: str
    type: Any
    default: Any
    declaration: Declaration

    @property
    def phase(self) -> str:
        return self.declaration.phase

    @property
    def type_name(self) -> str:
        return "list of int" if self.type == tuple[int, ...] else getattr(self.type, "__name__", str(self.type))

    @property
    def range_text(self) -> str:
        """The allowed values in words, "" where any value of the type will do."""
        said = self.declaration
        if said.choices:
            return " | ".join(map(str, said.choices))
        if said.low is not None and said.high is not None:
            return f"{_bound(said.low)} to {_bound(said.high)}"
        if said.low is not None:
            return f"at least {_bound(said.low)}"
        return f"at most {_bound(said.high)}" if said.high is not None else ""


def param(
    default: Any,
    *,
    phase: str = "train",
    help: str,
    sweep: tuple[Any, ...] = (),
    choices: tuple[Any, ...] = (),
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
) -> Any:
    """Declare a parameter: `ef: int = param(100, phase="query", help="beam width", low=1, sweep=(50, 100, 200))`.

    phase: the one phase that it belongs to; a query parameter never rebuilds, an index parameter never retrains.
    sweep: values worth trying, in a frontier and in a random search (which draws a float between the least and the
    greatest, on a log scale where `log`); low and high (inclusive) or choices: what is allowed. Types: int, float,
    bool, str, tuple[int, ...].
    """
    if phase not in PHASES:
        raise ParameterError(f"phase {phase!r} is none of {', '.join(PHASES)}")
    return dataclasses.field(default=default, metadata={_KEY: Declaration(phase, help, sweep, choices, low, high, log)})


def parameters(cls: type) -> dict[str, Parameter]:
    """The declared parameters of a dataclass, in order."""
    if not dataclasses.is_dataclass(cls):
        raise ParameterError(f"{cls.__module__}.{cls.__qualname__} is no dataclass: put @dataclass above the class")
    types = typing.get_type_hints(cls)
    found = {}
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        if _KEY not in field.metadata:
            raise ParameterError(
                f"{cls.__qualname__}.{field.name} is a field without param(...): declare it, or learnt state as "
                f"field(init=False)"
            )
        found[field.name] = Parameter(field.name, types[field.name], field.default, field.metadata[_KEY])
    return found


def _bound(value: float) -> str:
    """A whole number in full, any other in few digits."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else f"{value:g}"


def build(cls: type, values: Mapping[str, Any]) -> Any:
    """An instance of `cls` with `values` (texts are converted) checked against their declarations."""
    return cls(**resolve(cls, values))


def resolve(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of `cls` with `values` in place of defaults, converted and checked."""
    declared = parameters(cls)
    for name in values:
        if name not in declared:
            raise UnknownName(f"parameter of {cls.__name__}", name, declared)
    return {
        name: convert(parameter, values[name]) if name in values else parameter.default
        for name, parameter in declared.items()
    }


def convert(parameter: Parameter, value: Any) -> Any:
    """`value` in the parameter's type and range; raises ParameterError."""
    try:
        converted = _typed(parameter.type, value)
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(f"{parameter.name}={value!r} is no {parameter.type_name}") from None
    said = parameter.declaration
    for one in converted if isinstance(converted, tuple) else (converted,):
        outside = (
            (said.choices and one not in said.choices)
            or (said.low is not None and one < said.low)
            or (said.high is not None and one > said.high)
            or (isinstance(one, float) and not math.isfinite(one))
        )
        if outside:
            raise ParameterError(f"{parameter.name}={value} is not allowed: {parameter.range_text or 'finite numbers'}")
    return converted


def _typed(kind: Any, value: Any) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
        words = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        if str(value).lower() not in words:
            raise ValueError(value)
        return words[str(value).lower()]
    if kind is int:
        number = float(value)
        if isinstance(value, bool) or number != int(number):
            raise ValueError(value)
        return int(value) if isinstance(value, int | str) and "e" not in str(value).lower() else int(number)
    if kind is float:
        if isinstance(value, bool):
            raise ValueError(value)
        return float(value)
    if kind == tuple[int, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        parts = [parts] if isinstance(parts, int) else parts
        return tuple(_typed(int, part) for part in parts)
    if kind is str:
        if not isinstance(value, str):
            raise ValueError(value)
        return value
    raise TypeError(f"unsupported parameter type {kind}")
