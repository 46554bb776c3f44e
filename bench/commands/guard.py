"""`bench gate` and `bench reproduce`: is it still as it was?"""

from __future__ import annotations

import json
from pathlib import Path

import rich_click as click
from click.exceptions import Exit

from bench.commands.examples import examples
from bench.commands.options import (
    Surroundings,
    cache_option,
    check_writable,
    data_root_option,
    json_option,
    pass_surroundings,
    results_option,
)

RATIO = click.FloatRange(min=0)


@click.command(
    "gate",
    epilog=examples(
        (
            "In a check of every change, beside results that were kept:",
            "bench sweep suites/ours.toml --results now\n\nbench gate suites/ours.toml --results now --against kept",
        ),
        (
            "Quality alone, at two depths, not a hundredth less:",
            "bench gate suites/ours.toml --against kept --metric recall@10 --metric recall@200 --quality .01 "
            "--latency 0 --memory 0 --size 0",
        ),
    ),
)
@click.argument("suite", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="SUITE.toml")
@click.option(
    "--against",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    metavar="FOLDER",
    help="Results from before: a folder of --results, or one that bench publish wrote.",
)
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="What may not fall; else the middle recall.")
@click.option(
    "--quality", type=RATIO, default=0.005, show_default=True, help="How far a metric may fall before it is worse."
)
@click.option(
    "--latency", type=RATIO, default=1.25, show_default=True, help="How many times as long the p50 may be; 0: any."
)
@click.option(
    "--memory", type=RATIO, default=1.2, show_default=True, help="How many times as high the peak may be; 0: any."
)
@click.option(
    "--size", type=RATIO, default=1.2, show_default=True, help="How many times as large the artifacts may be; 0: any."
)
@click.option(
    "--training", type=RATIO, default=0.0, show_default=True, help="How many times as long training may take; 0: any."
)
@json_option("Write the measurements and their verdicts.")
@results_option
@pass_surroundings
def gate(
    surroundings: Surroundings,
    /,
    suite: Path,
    against: Path,
    metrics: tuple[str, ...],
    quality: float,
    latency: float,
    memory: float,
    size: float,
    training: float,
    json_file: Path | None,
    results: Path,
) -> None:
    """Refuse a change that makes results worse: exit code 1 if one is, beyond the bounds.

    The newest runs of the suite in --results are held against those in --against: metrics request by request, so that
    a fall that chance could make does not count; latency, peak memory and size by their ratio, latency on the same kind
    of machine alone. A method that ran before and fails now is worse. Runs nothing itself.
    """
    from bench.cache import write_text
    from bench.errors import UsageError
    from bench.report.gate import Bounds, check, failed, render
    from bench.report.pairs import of_suites
    from bench.store.results import Store
    from bench.suites import load_suite

    check_writable(json_file)
    wanted, before, now = load_suite(suite), Store(against), Store(results)
    pairs = of_suites((wanted, before), (wanted, now))
    if not any(pair.before.runs for pair in pairs):
        raise UsageError(f"{against} has no run of {suite}: bench sweep {suite} --results {against} makes some")
    if not any(pair.now.runs for pair in pairs):
        raise UsageError(f"{results} has no run of {suite}: bench sweep {suite} --results {results} makes some")
    bounds = Bounds(quality, latency or None, memory or None, size or None, training or None)
    checks = check(pairs, bounds, metrics)
    if json_file is not None:
        write_text(json_file, json.dumps([one.as_dict() for one in checks], indent=1) + "\n")
    surroundings.out.print(render(checks))
    if failed(checks):
        raise Exit(1)


@click.command(
    "reproduce",
    epilog=examples(
        ("A run of your own, trained anew:", "bench reproduce 3f2a"),
        ("A row that was published:", "bench reproduce 0e194f9f --published results/families"),
    ),
)
@click.argument("run")
@click.option(
    "--published",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Where RUN is from, if not from --results: a folder that bench publish wrote, or any with a records.jsonl.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the comparison.")
@results_option
@cache_option
@data_root_option
@pass_surroundings
def reproduce(
    surroundings: Surroundings,
    /,
    run: str,
    published: Path | None,
    quiet: bool,
    results: Path,
    cache: Path | None,
    data_root: Path | None,
) -> None:
    """Carry a run out again, from the data on, and say how it differs.

    Trains, indexes and queries with the record's data, protocol, parameters, seed and threads, using nothing that an
    earlier run left but prepared data. On the same machine with the same versions every metric should be equal to the
    last digit, unless training was bounded by seconds; the exit code is 1 where one is not. What else is not the same
    (processor, versions of libraries, source) is listed.
    """
    from bench.commands.series import check
    from bench.report import reproduction
    from bench.report.progress import display
    from bench.run.again import carry_out_again, plan_of
    from bench.store.results import Store

    record = Store(published or results).find(run)
    plan = plan_of(record)
    check([plan])
    home = surroundings.home(results, cache, data_root)
    with display(surroundings.err, quiet=quiet) as shown:
        shown.begin(f"{plan.method} on {plan.data or plan.dataset}")
        now = carry_out_again(plan, home, shown)
    surroundings.out.print(reproduction.render(record, now))
    if not reproduction.equal(record, now):
        raise Exit(1)
