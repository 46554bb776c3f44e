"""`bench sweep`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from click.exceptions import Exit

from bench.commands.examples import examples
from bench.commands.options import (
    Seconds,
    Surroundings,
    cache_option,
    check_writable,
    data_root_option,
    json_option,
    pass_surroundings,
    results_option,
)
from bench.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from bench.run.plan import Home
    from bench.suites import Suite
    from bench.tuning import Outcome, Record


@click.command(
    "sweep",
    epilog=examples(
        ("Every method of a suite, then the tables:", "bench sweep suites/movielens-1m.toml"),
        ("What it would run, and what is there already:", "bench sweep suites/tuning.toml --dry-run"),
        ("For an hour and a half, and again later to go on:", "bench sweep suites/dvf-beam.toml --budget 90m"),
        (
            "On a Ray cluster whose nodes share a folder:",
            "bench sweep suites/dvf-beam.toml --on ray://head:10001 --results /shared/results --cache /shared/cache",
        ),
        (
            "Without one, through a bucket:",
            "bench sweep suites/dvf-beam.toml --on ray://head:10001 --through s3://team/bench",
        ),
    ),
)
@click.argument("suite", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="SUITE.toml")
@click.option("--dry-run", is_flag=True, help="List the runs and whether they are in the store; run nothing.")
@click.option(
    "--budget",
    type=Seconds(),
    show_default="the suite's own, else none",
    help="Begin nothing new after so long, nor what would not be done by then: 30m, 8h.",
)
@click.option(
    "--on",
    metavar="ray[://HOST:PORT]",
    show_default="this machine, one run after another",
    help="Carry the runs out on a Ray cluster, each on a node that has what it needs; ray alone starts one here.",
)
@click.option(
    "--through",
    metavar="URL",
    help="With --on: nodes hand artifacts and results on through this place (s3://, gs://, hdfs://: any that fsspec "
    "knows), for want of a folder that all of them share.",
)
@json_option("Write the result records, one a line.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the tables.")
@results_option
@cache_option
@data_root_option
@pass_surroundings
def sweep(
    surroundings: Surroundings,
    /,
    suite: Path,
    dry_run: bool,
    budget: float | None,
    on: str | None,
    through: str | None,
    json_file: Path | None,
    quiet: bool,
    results: Path,
    cache: Path | None,
    data_root: Path | None,
) -> None:
    """Run all of a suite, one process after another, or on a cluster.

    A sweep that was interrupted goes on where it stopped: finished runs are answered from the store. A failed run is a
    row, and the sweep goes on. A suite with a search gives every method the same budget and chooses on validation. The
    exit code is 1 if a run failed, 2 if the command was wrong and 3 if the budget left something out.
    """
    from bench.commands.series import check
    from bench.report import formats, rows, schedule, table
    from bench.store.results import Store
    from bench.suites import load_suite

    check_writable(json_file)
    if through is not None and on is None:
        raise UsageError("--through is for nodes of a cluster: say which by --on ray://HOST:PORT, or leave it out")
    wanted = load_suite(suite)
    allowed = wanted.budget if budget is None else budget
    if on is not None and allowed is not None:
        raise UsageError(f"a budget ({allowed:g} s) is held on one machine alone: leave it out, or --on {on}")
    check([*wanted.plans, *(search.plan for search in wanted.searches)])
    if dry_run:
        surroundings.out.print(schedule.render(wanted, Store(results).records()))
        return
    home = surroundings.home(results, cache, data_root)
    if on is None:
        carried = _here(surroundings.err, home, wanted, math.inf if allowed is None else allowed, quiet)
    else:
        carried = _on_cluster(surroundings.err, home, wanted, on, through, quiet)
    records, outcomes = carried.records, carried.outcomes
    trials = [record for outcome in outcomes for record in outcome.records]
    if json_file is not None:
        json_file.write_text(formats.json_lines([*records, *trials]), encoding="utf-8")
    surroundings.out.print(wanted.title, style="bold underline")
    for outcome in outcomes:
        surroundings.out.print(str(outcome), highlight=False)
    chosen = [outcome.chosen or outcome.records[-1] for outcome in outcomes if outcome.records]
    table.show(surroundings.out, rows.group([*records, *chosen], short_ids=Store(results).short_ids()))
    if carried.left_out:
        surroundings.err.print(carried.left_out, highlight=False, markup=False, soft_wrap=True)
    if any(not rows.succeeded(record) for record in [*records, *trials]):
        raise Exit(1)
    if carried.left_out:
        raise Exit(3)


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of a sweep. left_out: what its budget left out, "" for nothing."""

    records: Sequence[Record]
    outcomes: Sequence[Outcome]
    left_out: str = ""


def _here(console: Console, home: Home, wanted: Suite, budget: float, quiet: bool) -> Carried:
    from bench.commands.series import Series
    from bench.commands.sweeping import Sweeping
    from bench.report.progress import display

    with display(console, quiet=quiet) as shown:
        sweeping = Sweeping(wanted, Series(home, shown), budget)
        records = sweeping.runs()
        outcomes = sweeping.searches(Series(home, shown, part="validation"))
    return Carried(records, outcomes, sweeping.summary() if sweeping.left_out else "")


def _on_cluster(console: Console, home: Home, wanted: Suite, on: str, through: str | None, quiet: bool) -> Carried:
    from bench.cluster.ray_runs import on_ray
    from bench.halving import halve
    from bench.report.several import gathering
    from bench.tuning import tune

    with gathering(console, quiet=quiet) as shown, on_ray(on, home, shown, through) as runs:
        records = runs.carry_out_all(wanted.plans)
        trial = dataclasses.replace(runs, part="validation").carry_out
        outcomes = [(halve if search.halves else tune)(search, trial) for search in wanted.searches]
    return Carried(records, outcomes)
