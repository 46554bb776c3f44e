"""What is kept of methods timed in turn: their times beside the baseline's, the noise floor, and where it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.turns import in_turn
from bench.measure import machine
from bench.measure.competing import processor
from bench.run.turns import ROUNDS, Contender, Course
from bench.store.turns import Turn

SCHEMA = 1


def record_of(
    title: str,
    contenders: Sequence[Contender],
    again: str,
    course: Course,
    turns: Sequence[Turn],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """contenders: those that were timed to the end, the baseline first; again: what its second worker is called;
    left_out: label -> why it has no times."""
    return {
        "schema": SCHEMA,
        "title": title,
        "task": {key: contenders[0].record["task"][key] for key in ("title", "fingerprint", "requests")},
        "baseline": contenders[0].label,
        "again": again,
        "methods": [{"label": one.label, "run_id": one.record["run_id"]} for one in contenders],
        "left_out": dict(left_out),
        "course": {**dataclasses.asdict(course), "rounds": ROUNDS},
        "modes": {kind: _found(kind, contenders, again, course, turns) for kind in course.kinds},
        "competing_cores": float(np.mean([turn.competing for turn in turns])),
        "machine": machine.describe() | {"processor": processor()},
        "provenance": {
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            **machine.git_state(Path(__file__).parent),
        },
    }


def _found(
    kind: str, contenders: Sequence[Contender], again: str, course: Course, turns: Sequence[Turn]
) -> dict[str, Any]:
    """One kind of call: the methods, fastest first, and the baseline beside itself."""
    asked = course.requests if kind.endswith("batch") else 1  # requests of a call
    labels = [*(one.label for one in contenders), again]
    own = {label: [turn for turn in turns if (turn.label, turn.calls.mode) == (label, kind)] for label in labels}
    seconds = {label: medians(some, course.starts) / asked for label, some in own.items()}
    found, floor = in_turn(
        {label: one for label, one in seconds.items() if label != again}, contenders[0].label, seconds[again]
    )
    lines = []
    for one in found:
        calls = np.concatenate([turn.calls.seconds for turn in own[one.label]])
        p99 = {} if kind.endswith("batch") else {"p99_seconds": float(np.percentile(calls, 99))}
        lines.append({**dataclasses.asdict(one), "calls": len(calls), **p99})
    return {"methods": lines, "floor": dataclasses.asdict(floor)}


def medians(turns: Sequence[Turn], starts: int) -> NDArray[np.float64]:
    """The median call of every turn of one method and mode: seconds float64 [starts, ROUNDS]."""
    found = np.full((starts, ROUNDS), np.nan)
    for turn in turns:
        found[turn.start, turn.round] = np.median(turn.calls.seconds)
    return found
