"""`bench sweep`."""

from __future__ import annotations

import math
from pathlib import Path

import rich_click as click
from click.exceptions import Exit

from bench.commands.examples import examples
from bench.commands.options import (
    Seconds,
    Surroundings,
    cache_option,
    check_writable,
    data_root_option,
    pass_surroundings,
    results_option,
)


@click.command(
    "sweep",
    epilog=examples(
        ("Every method of a suite, then the tables:", "bench sweep suites/movielens-1m.toml"),
        ("What it would run, and what is there already:", "bench sweep suites/tuning.toml --dry-run"),
        ("For an hour and a half, and again later to go on:", "bench sweep suites/dvf-beam.toml --budget 90m"),
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
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the result records, one a line.",
)
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
    json_file: Path | None,
    quiet: bool,
    results: Path,
    cache: Path | None,
    data_root: Path | None,
) -> None:
    """Run all of a suite, one process after another.

    A sweep that was interrupted goes on where it stopped: finished runs are answered from the store. A failed run is a
    row, and the sweep goes on. A suite with a search gives every method the same budget and chooses on validation. The
    exit code is 1 if a run failed, 2 if the command was wrong and 3 if the budget left something out.
    """
    from bench.commands.series import Series, check
    from bench.commands.sweeping import Sweeping
    from bench.report import formats, rows, schedule, table
    from bench.report.progress import display
    from bench.store.results import Store
    from bench.suites import load_suite

    check_writable(json_file)
    wanted = load_suite(suite)
    check([*wanted.plans, *(search.plan for search in wanted.searches)])
    if dry_run:
        surroundings.out.print(schedule.render(wanted, Store(results).records()))
        return
    with display(surroundings.err, quiet=quiet) as shown:
        home = surroundings.home(results, cache, data_root)
        allowed = wanted.budget if budget is None else budget
        sweeping = Sweeping(wanted, Series(home, shown), math.inf if allowed is None else allowed)
        records = sweeping.runs()
        outcomes = sweeping.searches(Series(home, shown, part="validation"))
    trials = [record for outcome in outcomes for record in outcome.records]
    if json_file is not None:
        json_file.write_text(formats.json_lines([*records, *trials]), encoding="utf-8")
    surroundings.out.print(wanted.title, style="bold underline")
    for outcome in outcomes:
        surroundings.out.print(str(outcome), highlight=False)
    chosen = [outcome.chosen or outcome.records[-1] for outcome in outcomes if outcome.records]
    table.show(surroundings.out, rows.group([*records, *chosen], short_ids=Store(results).short_ids()))
    if sweeping.left_out:
        surroundings.err.print(sweeping.summary(), highlight=False, markup=False, soft_wrap=True)
    if any(not rows.succeeded(record) for record in [*records, *trials]):
        raise Exit(1)
    if sweeping.left_out:
        raise Exit(3)
