"""`bench cost`."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import rich_click as click

from bench.commands.examples import examples
from bench.commands.options import Surroundings, pass_surroundings, prices_option, results_option


@click.command(
    "cost",
    epilog=examples(
        ("What the runs so far cost:", "bench cost"),
        ("In money, for ten million requests:", "bench cost suites/first.toml --prices prices.toml --requests 1e7"),
        (
            "prices.toml, each price optional but that of the processor (gpu_hour on a GPU):",
            'currency = "EUR"\n\ncore_hour = 0.034  # a core for an hour\n\ngb_hour = 0.004    # a GB of memory\n\n'
            "gb_month = 0.08    # a GB stored for a month",
        ),
    ),
)
@click.argument(
    "suite", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="[SUITE.toml]", required=False
)
@prices_option
@click.option(
    "--requests",
    type=click.FloatRange(min=0, min_open=True),
    metavar="NUMBER",
    show_default="that of the prices, else 1e6",
    help="For how many requests serving is counted.",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="For methods that train in rounds: of their last recall, when a round had reached it.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "md", "csv"]),
    default="table",
    show_default=True,
    help="What to print.",
)
@results_option
@pass_surroundings
def cost(
    surroundings: Surroundings,
    /,
    suite: Path | None,
    prices: Path | None,
    requests: float | None,
    share: float,
    form: str,
    results: Path,
) -> None:
    """What each method costs: to train, to index, to load and to serve.

    Seconds, memory and bytes of the stored runs, one table a task; energy where the runs measured it (bench run
    --energy); money where you give prices. Runs nothing.
    """
    from bench.errors import UsageError
    from bench.prices import REQUESTS, load_prices
    from bench.report import formats, rows, table
    from bench.report.cost import Bill
    from bench.report.cost_columns import cost_columns, remarks
    from bench.report.suite_rows import of_store, of_suite
    from bench.store.results import Store
    from bench.suites import load_suite

    paid = None if prices is None else load_prices(prices)
    bill = Bill(requests or (REQUESTS if paid is None else paid.requests), paid, share)
    store = Store(results)
    tasks = of_store(store) if suite is None else of_suite(load_suite(suite), store)
    if not any(task.ranked() for task in tasks):
        raise UsageError(f"the store {store.root} has no result to count: bench run or bench sweep makes some")
    of = partial(cost_columns, bill=bill)
    if form == "csv":
        click.echo(formats.values(tasks, of), nl=False)
    elif form == "md":
        click.echo(formats.markdown(tasks, of), nl=False)
    else:
        tasks = [dataclasses.replace(task, notes=rows.noise(task.records)) for task in tasks]
        table.show(surroundings.out, tasks, verdicts=False, of=of)
        said = remarks([record for task in tasks for _, record in task.ranked()], bill)
        for line in ("", *said):
            surroundings.out.print(line, style="dim", highlight=False)
