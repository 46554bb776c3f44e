"""Modes of timing: what is measured of `query`, each under its own name."""

from __future__ import annotations

from bench.errors import UnknownName, UsageError

MODES = ("single", "batch", "load", "device")
NONE = "none"
SLO_MS = 50.0


def modes(text: str, device: str) -> tuple[str, ...]:
    """The modes of "single+batch", in the order of MODES; "none" has none. Raises UsageError.

    single: a closed loop of single requests on one thread; batch: all requests a call, on all threads; load: Poisson
    arrivals, the highest rate whose p99 stays within a bound; device: a closed loop and batches on a GPU, which are
    never mixed with those of a CPU.
    """
    asked = [] if text == NONE else text.split("+")
    for one in asked:
        if one not in MODES:
            raise UnknownName("timing mode", one, (*MODES, NONE))
    if len(set(asked)) < len(asked):
        raise UsageError(f"timing {text!r} names a mode twice")
    cpu = device == "cpu"
    for one in asked:
        if cpu and one == "device":
            raise UsageError("timing mode device is of a GPU: give --device cuda too, or time single+batch")
        if not cpu and one in ("single", "batch"):
            raise UsageError(f"timing mode {one} is of the CPU alone: on --device {device} use device, load or none")
    return tuple(one for one in MODES if one in asked)


def identity(timing: str, slo_ms: float) -> str:
    """What a spec says of timing: the modes, and the bound where there is one."""
    return f"{timing}, p99 within {slo_ms:g} ms" if "load" in timing.split("+") else timing


def usual(device: str) -> str:
    """What is timed where nobody says."""
    return "single+batch" if device == "cpu" else "device"
