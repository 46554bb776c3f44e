"""`bench run`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich_click as click
from click.exceptions import Exit

from bench.commands.examples import examples
from bench.commands.options import (
    Assignment,
    Bytes,
    Device,
    Names,
    Seconds,
    Surroundings,
    cache_option,
    check_writable,
    columns,
    data_root_option,
    flattened,
    json_option,
    pass_surroundings,
    results_option,
)
from bench.commands.task_options import DATA, WHAT, conventions, depth_option, file_options, rule_options
from bench.commands.wanted import Wanted
from bench.run.plan import Limits
from bench.run.timing import SLO_MS, usual

HOW, OUTPUT = "Limits and machine", "Output"

EXAMPLES = examples(
    ("DVF on the built-in synthetic data:", "bench run --method dvf"),
    (
        "Two methods on real data, one parameter changed:",
        "bench run -m dvf,two_tower --set dvf.ef=200 --dataset movielens-1m --protocol user-holdout",
    ),
    ("Your own clicks:", "bench run -m item_cf --data clicks.csv --columns user=uid,item=sku,time=ts"),
    (
        "A method of your own, on 500 requests:",
        "bench run --plugin ./mine.py:LSH --set bits=12 --protocol next-item:users=500",
    ),
    (
        "One index, and the catalog split over four processes:",
        "bench run -m two_tower,sharded:two_tower --set backend=hnsw --set shards=4",
    ),
)


@click.command("run", epilog=EXAMPLES)
@click.option(
    "--method",
    "-m",
    "methods",
    type=Names(),
    multiple=True,
    panel=WHAT,
    help="Methods; [cyan]bench list methods[/] shows what there is.",
)
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE.py:CLASS",
    panel=WHAT,
    help="A method in a file, without installation.",
)
@click.option(
    "--set",
    "settings",
    type=Assignment("[METHOD.]NAME=VALUE"),
    multiple=True,
    panel=WHAT,
    help="A parameter, of one method or of each that has it, said once; [cyan]bench show METHOD[/] lists them.",
)
@depth_option
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    panel=WHAT,
    help="Of everything random in a method.",
)
@click.option(
    "--dataset",
    "-d",
    "datasets",
    type=Names(),
    multiple=True,
    panel=DATA,
    show_default="synthetic",
    help="Data sets, NAME or NAME:key=value; [cyan]bench list datasets[/].",
)
@file_options
@rule_options
@click.option(
    "--live",
    is_flag=True,
    panel=DATA,
    help="Build the index over the items known in training; the method's update then brings the new ones.",
)
@click.option(
    "--remove",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="SHARE",
    panel=DATA,
    help="With --live: so many of the old items leave at the same moment.",
)
@click.option("--timeout", type=Seconds(), panel=HOW, help="Limit of each phase: 90s, 15m, 2h.")
@click.option("--memory", type=Bytes(), panel=HOW, help="Limit of each phase: 800MB, 8GB.")
@click.option(
    "--device",
    type=Device(),
    default="cpu",
    show_default=True,
    metavar="NAME",
    panel=HOW,
    help="Where methods compute: cpu, cuda, cuda:1.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=0,
    show_default="all cores",
    panel=HOW,
    help="Of training, indexing and batches; single requests always take one.",
)
@click.option(
    "--timing",
    metavar="MODE[+MODE]",
    show_default="single+batch; on a GPU device",
    panel=HOW,
    help="What is timed: single: requests one by one on one thread; batch: all in a call, on all threads; load: the "
    "highest rate of Poisson arrivals that --slo-ms holds at; device: both on a GPU; none.",
)
@click.option(
    "--slo-ms",
    type=click.FloatRange(min=0, min_open=True),
    default=SLO_MS,
    show_default=True,
    panel=HOW,
    help="With --timing load: the p99 that a rate must keep, in milliseconds from a request's arrival.",
)
@click.option(
    "--energy",
    is_flag=True,
    panel=HOW,
    help="Measure the energy of each phase too (the extra [cyan]energy[/]); the record says whether by counters of the "
    "hardware or by a model of it.",
)
@click.option("--again", is_flag=True, panel=OUTPUT, help="Run even where the store has the same run.")
@json_option("Write the result record; of several runs one record a line.", panel=OUTPUT)
@click.option("--quiet", "-q", is_flag=True, panel=OUTPUT, help="No progress, only the table.")
@results_option
@cache_option
@data_root_option
@pass_surroundings
def run(
    surroundings: Surroundings,
    /,
    results: Path,
    cache: Path | None,
    data_root: Path | None,
    again: bool,
    json_file: Path | None,
    quiet: bool,
    **asked: Any,
) -> None:
    """Train, index and query methods on data; measure and compare them.

    Prints one table a data set and what each row means: is its loss in the model or in the index? Results are kept, and
    the same run again is answered from there. The exit code is 1 if a run failed and 2 if the command was wrong.
    """
    from bench.commands.series import Series, check
    from bench.report import formats, rows, table
    from bench.report.progress import display
    from bench.store.results import Store

    check_writable(json_file)
    plans = wanted(asked).plans()
    check(plans)
    with display(surroundings.err, quiet=quiet) as shown:
        records = Series(surroundings.home(results, cache, data_root), shown, again).carry_out_all(plans)
    if json_file is not None:
        json_file.write_text(formats.json_lines(records), encoding="utf-8")
    table.show(surroundings.out, rows.group(records, short_ids=Store(results).short_ids()))
    if any(not rows.succeeded(record) for record in records):
        raise Exit(1)


def wanted(asked: Mapping[str, Any]) -> Wanted:
    """The options as one value."""
    return Wanted(
        methods=[*flattened(asked["methods"]), *asked["plugins"]],
        settings=asked["settings"],
        ks=asked["ks"],
        seed=asked["seed"],
        datasets=flattened(asked["datasets"]),
        data=asked["data"],
        columns=columns(asked["column_texts"]),
        protocol=asked["protocol"],
        eligible=asked["eligible"],
        conventions=conventions(asked),
        limits=Limits(seconds=asked["timeout"], memory_bytes=asked["memory"]),
        device=asked["device"],
        threads=asked["threads"],
        timing=asked["timing"] or usual(asked["device"]),
        slo_ms=asked["slo_ms"],
        energy=asked["energy"],
        live=asked["live"],
        remove=asked["remove"],
    )
