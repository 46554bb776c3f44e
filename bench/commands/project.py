"""`bench project`."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from bench.commands.examples import examples
from bench.commands.options import Bytes, Surroundings, pass_surroundings, prices_option, results_option


@click.command(
    "project",
    epilog=examples(
        (
            "Three sizes, and what follows for a hundred million items:",
            "bench run -m dvf -d synthetic:items=10000,synthetic:items=30000,synthetic:items=100000\n\n"
            "bench project latest --items 100e6 --requests-per-second 5000",
        ),
        (
            "On machines of 32 cores and 128 GB, in money:",
            "bench project 3f2a --items 20e6 --requests-per-second 800 --cores 32 --memory 128GB --prices prices.toml",
        ),
    ),
)
@click.argument("run")
@click.option(
    "--items", type=click.FloatRange(min=1), required=True, metavar="NUMBER", help="Of the catalog: 20e6, 100_000_000."
)
@click.option(
    "--interactions",
    type=click.FloatRange(min=1),
    metavar="NUMBER",
    show_default="as many an item as in RUN",
    help="Of the training log.",
)
@click.option(
    "--requests-per-second", type=click.FloatRange(min=0), default=1000.0, show_default=True, metavar="NUMBER"
)
@click.option("--cores", type=click.IntRange(min=1), show_default="that of RUN", help="Of a machine.")
@click.option("--memory", type=Bytes(), show_default="that of RUN", help="Of a machine: 64GB.")
@click.option(
    "--used",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.6,
    show_default=True,
    help="Share of a machine's cores that may be busy.",
)
@prices_option
@results_option
@pass_surroundings
def project(
    surroundings: Surroundings,
    /,
    run: str,
    items: float,
    interactions: float | None,
    requests_per_second: float,
    cores: int | None,
    memory: int | None,
    used: float,
    prices: Path | None,
    results: Path,
) -> None:
    """What a method takes at a size that was not run: time, memory, machines, money.

    Growth is measured: RUN and the runs of the store that differ from it in the size of the catalog alone are carried
    on, each measurement by the curve that says the largest measured size best from the smaller ones. The range holds
    what other curves say; what is taken for granted is listed. Runs nothing.
    """
    from bench.forecast.projection import Asked, siblings
    from bench.prices import load_prices
    from bench.report.projected import render
    from bench.store.results import Store

    store = Store(results)
    record = store.find(run)
    runs = siblings(record, store.listed())
    task, machine = record["task"], record["machine"]
    asked = Asked(
        items,
        interactions or items * task["interactions"] / task["items"],
        requests_per_second,
        cores or int(machine["cores"]),
        memory or float(machine["memory_bytes"]),
        used,
    )
    surroundings.out.print(render(runs, asked, None if prices is None else load_prices(prices)))
