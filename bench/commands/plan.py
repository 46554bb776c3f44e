"""`bench plan`."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from bench.commands.examples import examples
from bench.commands.options import (
    Seconds,
    Surroundings,
    cache_option,
    data_root_option,
    pass_surroundings,
    results_option,
)


@click.command(
    "plan",
    epilog=examples(
        ("What will this suite take?", "bench plan suites/dvf-beam.toml"),
        ("The same, with larger pilots and so a narrower range:", "bench plan suites/first.toml --pilot-seconds 4m"),
        ("What is known from earlier runs alone:", "bench plan suites/first.toml --pilot-seconds 0"),
        ("Then run it, for at most an hour and a half:", "bench sweep suites/dvf-beam.toml --budget 90m"),
    ),
)
@click.argument("suite", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="SUITE.toml")
@click.option(
    "--pilot-seconds",
    type=Seconds(),
    default=60.0,
    show_default="60s",
    help="About what the pilots of one method and its settings take on one task; 0: no pilots.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the tables.")
@results_option
@cache_option
@data_root_option
@pass_surroundings
def plan(
    surroundings: Surroundings,
    /,
    suite: Path,
    pilot_seconds: float,
    quiet: bool,
    results: Path,
    cache: Path | None,
    data_root: Path | None,
) -> None:
    """Estimate the time, memory and disk of a suite before anything long starts.

    Prepares its data and tasks, as the sweep would. A run is judged by an earlier one of another seed or other query
    parameters; else by earlier ones of other settings; else by pilots, the method on growing shares of the task, which
    leave nothing behind. Training that runs share is counted once, what is in the cache not at all; a training that is
    told how long to take (`seconds`) takes no longer. Says which limit would be hit: the suite's own, memory, disk.
    """
    from bench.commands.series import check
    from bench.forecast.forecast import forecast
    from bench.forecast.limits import free_bytes, hits
    from bench.report import outlook, wording
    from bench.report.progress import display
    from bench.suites import load_suite

    wanted = load_suite(suite)
    check([*wanted.plans, *(search.plan for search in wanted.searches)])
    home = surroundings.home(results, cache, data_root)
    with display(surroundings.err, quiet=quiet) as shown:
        found = forecast(wanted, home, shown, pilot_seconds)
    free = f"{wording.size(free_bytes(home.cache))} free"
    surroundings.out.print(outlook.render(found, hits(found, home), free))
