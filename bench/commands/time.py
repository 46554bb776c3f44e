"""`bench time`."""

from __future__ import annotations

from pathlib import Path

import rich_click as click
from click.exceptions import Exit

from bench.commands.examples import examples
from bench.commands.options import (
    Names,
    Surroundings,
    cache_option,
    flattened,
    pass_surroundings,
    results_option,
)


@click.command(
    "time",
    epilog=examples(
        (
            "Which method of a suite is faster?",
            "bench sweep suites/movielens-1m.toml\n\nbench time suites/movielens-1m.toml",
        ),
        (
            "Two of them, more exactly:",
            "bench time suites/movielens-1m.toml --methods item_cf,ease --starts 20 --mode single",
        ),
    ),
)
@click.argument("suite", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="SUITE.toml")
@click.option(
    "--mode", metavar="MODES", show_default="the suite's", help="single, batch or single+batch; of a GPU: device."
)
@click.option("--baseline", metavar="LABEL", help="The method beside which the others stand; else the first.")
@click.option("--methods", type=Names(), multiple=True, help="Only these labels of the suite, and the baseline.")
@click.option(
    "--starts",
    type=click.IntRange(min=3),
    default=6,
    show_default=True,
    metavar="N",
    help="How often every method is started afresh; each start has two rounds.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="S",
    help="Of a turn, at least; it ends with a whole pass over its requests.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random orders.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the tables.")
@results_option
@cache_option
@pass_surroundings
def time(
    surroundings: Surroundings,
    /,
    suite: Path,
    mode: str | None,
    baseline: str | None,
    methods: tuple[list[str], ...],
    starts: int,
    seconds: float,
    seed: int,
    quiet: bool,
    results: Path,
    cache: Path | None,
) -> None:
    """Measure the speed of a suite's methods side by side, in turn.

    Runs of a sweep are timed one after another, perhaps hours apart, and a machine changes meanwhile. Here the finished
    runs are loaded from their artifacts into processes that wait, and take turns: in random order, then in reverse,
    then all are started afresh, for two processes of the same program differ too. The baseline takes part twice, and
    what it differs from itself is the noise floor: no smaller difference is called one.

    Of several seeds the first is timed. Trains nothing: bench sweep makes the runs. bench compare and bench publish
    show the newest result beside the others. The exit code is 1 where a method could not be timed.
    """
    from bench.commands.timing import Asked, time_suite
    from bench.report import turns
    from bench.report.progress import display
    from bench.suites import load_suite

    asked = Asked(mode, baseline, tuple(flattened(methods)), starts, seconds, seed)
    home = surroundings.home(results, cache, None)
    wanted = load_suite(suite)
    with display(surroundings.err, quiet=quiet) as shown:
        records = time_suite(wanted, asked, home, shown)
    for record in records:
        surroundings.out.print(turns.render(record), highlight=False)
    if any(record["left_out"] for record in records):
        raise Exit(1)
