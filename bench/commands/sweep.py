"""`bench sweep`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from click.exceptions import Exit

from bench.commands.examples import examples
from bench.commands.options import (
    Surroundings,
    cache_option,
    check_writable,
    data_root_option,
    pass_surroundings,
    results_option,
)
from bench.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from bench.cluster.ray_runs import RayRuns
    from bench.commands.series import Series
    from bench.run.plan import Home


@click.command(
    "sweep",
    epilog=examples(
        ("Every method of a suite, then the tables:", "bench sweep suites/movielens-1m.toml"),
        ("What it would run, and what is there already:", "bench sweep suites/tuning.toml --dry-run"),
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
    row, and the sweep goes on. A suite with a search gives every method the same budget and chooses on validation.
    """
    from bench.commands.series import check
    from bench.report import formats, rows, schedule, table
    from bench.store.results import Store
    from bench.suites import load_suite
    from bench.tuning import tune

    check_writable(json_file)
    if through is not None and on is None:
        raise UsageError("--through is for nodes of a cluster: say which by --on ray://HOST:PORT, or leave it out")
    wanted = load_suite(suite)
    check([*wanted.plans, *(search.plan for search in wanted.searches)])
    if dry_run:
        surroundings.out.print(schedule.render(wanted, Store(results).records()))
        return
    home = surroundings.home(results, cache, data_root)
    with _runs(surroundings.err, home, on, through, quiet) as runs:
        records = runs.carry_out_all(wanted.plans)
        trial = dataclasses.replace(runs, part="validation").carry_out
        outcomes = [tune(search, trial) for search in wanted.searches]
    trials = [record for outcome in outcomes for record in outcome.records]
    if json_file is not None:
        json_file.write_text(formats.json_lines([*records, *trials]), encoding="utf-8")
    surroundings.out.print(wanted.title, style="bold underline")
    for outcome in outcomes:
        surroundings.out.print(str(outcome), highlight=False)
    chosen = [outcome.chosen or outcome.records[-1] for outcome in outcomes if outcome.records]
    table.show(surroundings.out, rows.group([*records, *chosen], short_ids=Store(results).short_ids()))
    if any(not rows.succeeded(record) for record in [*records, *trials]):
        raise Exit(1)


@contextlib.contextmanager
def _runs(console: Console, home: Home, on: str | None, through: str | None, quiet: bool) -> Iterator[Series | RayRuns]:
    """What carries the runs out."""
    if on is None:
        from bench.commands.series import Series
        from bench.report.progress import display

        with display(console, quiet=quiet) as shown:
            yield Series(home, shown)
        return
    from bench.cluster.ray_runs import on_ray
    from bench.report.several import gathering

    with gathering(console, quiet=quiet) as gathered, on_ray(on, home, gathered, through) as runs:
        yield runs
