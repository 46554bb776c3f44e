"""Equal methods timed in turn: how often a difference is called where there is none, on this machine.

    python benchmarks/turns_aa.py [--suites 20] [--starts 6] [--seconds 0.1] [--json FILE]

Each suite times one trained item_cf, in single calls and in batches, against itself twice over: as `bench time` does
its baseline (the noise floor), and as a method of the suite. A table says for each suite both ratios and whether a
difference was called, by the test alone and with the floor; below it, of the noise of a single turn, how much is of the
process, which more turns of the same process would not show.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.analysis.comparison import SIGNIFICANCE
from bench.analysis.turns import in_turn
from bench.measure import machine
from bench.report.progress import display
from bench.run import lifecycle
from bench.run.plan import Home, Limits, Plan
from bench.run.turn_record import medians
from bench.run.turns import Contender, Course, job_of, take
from bench.store.turns import Turn

KINDS = ("single", "batch")
FIRST, AGAIN, OTHER = "item_cf", "item_cf again", "item_cf as a method"


def suite(turns: Sequence[Turn], course: Course, kind: str) -> dict[str, Any]:
    """What one suite says of equal methods."""
    seconds = {
        label: medians([turn for turn in turns if (turn.label, turn.calls.mode) == (label, kind)], course.starts)
        for label in (FIRST, AGAIN, OTHER)
    }
    found, floor = in_turn({label: seconds[label] for label in (FIRST, OTHER)}, FIRST, seconds[AGAIN])
    other = next(one for one in found if one.label == OTHER)
    return {
        "floor": dataclasses.asdict(floor),
        "other": dataclasses.asdict(other),
        "test_alone": bool(floor.p_value <= SIGNIFICANCE),
        "called": other.verdict != "not distinguishable",
        "of_process": shares(np.stack(list(seconds.values()))),
        "competing_cores": float(np.mean([turn.competing for turn in turns])),
    }


def shares(seconds: np.ndarray) -> dict[str, float]:
    """Standard deviations, of the logarithm, between processes and between turns of one; seconds [methods, S, R]. What
    all methods of a round have in common is taken out."""
    logs = np.log(seconds) - np.log(seconds).mean(0)  # (M, S, R)
    methods, starts, rounds = logs.shape
    of_process = logs.mean(2)  # (M, S)
    within = ((logs - of_process[:, :, None]) ** 2).sum() / ((methods - 1) * starts * (rounds - 1))
    between = rounds * (of_process**2).sum() / ((methods - 1) * starts)
    return {"process": float(np.sqrt(max(0.0, (between - within) / rounds))), "turn": float(np.sqrt(within))}


def table(suites: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each suite."""
    shown = Table("suite", title="Equal methods beside each other")
    for kind in KINDS:
        for head in ("floor", "p", "called", "method", "p", "called"):
            shown.add_column(f"{kind}\n{head}", justify="right")
    for at, one in enumerate(suites, 1):
        cells = []
        for kind in KINDS:
            found = one[kind]
            floor, other = found["floor"], found["other"]
            cells += [f"{floor['ratio']:.3f}", f"{floor['p_value']:.2f}", "yes" if found["test_alone"] else ""]
            cells += [f"{other['ratio']['ratio']:.3f}", f"{other['p_value']:.2f}", "yes" if found["called"] else ""]
        shown.add_row(str(at), *cells)
    return shown


def summary(suites: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over all suites, of each kind of call."""
    return {
        kind: {
            "suites": len(suites),
            "test_alone_calls": sum(one[kind]["test_alone"] for one in suites),
            "called": sum(one[kind]["called"] for one in suites),
            "median_floor": float(np.median([abs(np.log(one[kind]["floor"]["ratio"])) for one in suites])),
            "sd_between_processes": float(
                np.sqrt(np.mean([one[kind]["of_process"]["process"] ** 2 for one in suites]))
            ),
            "sd_between_turns": float(np.sqrt(np.mean([one[kind]["of_process"]["turn"] ** 2 for one in suites]))),
            "competing_cores": float(np.mean([one[kind]["competing_cores"] for one in suites])),
        }
        for kind in KINDS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suites", type=int, default=20)
    parser.add_argument("--starts", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    plan = Plan("item_cf", dataset="synthetic:items=5000,interactions=100000", protocol="next-item", timing="none")
    with tempfile.TemporaryDirectory() as folder, display(Console(stderr=True), quiet=False) as shown:
        home = Home(Path(folder) / "results", Path(folder) / "cache")
        shown.begin("item_cf")
        record = lifecycle.run(plan, home, shown)
        if record["status"] != "ok":
            sys.exit(record["error"])
        job = job_of(Contender(FIRST, plan, record), home)
        jobs = dict.fromkeys((FIRST, AGAIN, OTHER), job)
        suites = []
        for seed in range(options.suites):
            course = Course(KINDS, options.starts, options.seconds, record["task"]["requests"], seed)
            shown.begin(f"suite {seed + 1} of {options.suites}")
            turns, _ = take(jobs, set(jobs), course, Limits(), home, shown)
            suites.append({kind: suite(turns, course, kind) for kind in KINDS})
            shown.end(f"suite {seed + 1} of {options.suites}", failed=False)
    said = summary(suites)
    console = Console(width=120)
    console.print(table(suites))
    console.print(json.dumps(said, indent=1))
    if options.json:
        about = {"options": {key: value for key, value in vars(options).items() if key != "json"}}
        text = json.dumps({**about, "machine": machine.describe(), "summary": said, "suites": suites}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
