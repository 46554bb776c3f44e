"""`bench score`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from bench.commands.examples import examples
from bench.commands.options import (
    Surroundings,
    cache_option,
    check_writable,
    columns,
    data_root_option,
    json_option,
    pass_surroundings,
    results_option,
)
from bench.commands.task_options import DATA, conventions, depth_option, file_options, rule_options


@click.command(
    "score",
    epilog=examples(
        (
            "What to learn from and what is asked, for any system:",
            "bench data export movielens-1m --protocol user-holdout --out task",
        ),
        (
            "Its answers, beside those of methods that run here:",
            "bench score answers.parquet --name our-system --dataset movielens-1m --protocol user-holdout",
        ),
        ("Is it better than one of them?", "bench compare 3f2a latest"),
    ),
)
@click.argument("answers", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="ANSWERS")
@click.option("--name", metavar="NAME", show_default="the file's", help="What tables call the system.")
@depth_option
@click.option("--dataset", "-d", metavar="NAME[:KEY=VALUE,..]", default="", panel=DATA, show_default="synthetic")
@file_options
@rule_options
@json_option("Write the result record.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the table.")
@results_option
@cache_option
@data_root_option
@pass_surroundings
def score(
    surroundings: Surroundings,
    /,
    answers: Path,
    name: str | None,
    json_file: Path | None,
    quiet: bool,
    results: Path,
    cache: Path | None,
    data_root: Path | None,
    **asked: Any,
) -> None:
    """Measure answers that any system gave, as those of a method are.

    ANSWERS is a Parquet or CSV file, a row an answer: request (as bench data export writes it), rank (1 is the best)
    and item (its raw id). They are checked as a method's are: no item twice, none that the request excludes, none that
    may not be answered. Test requests without an answer find nothing; validation requests may be left out. The result
    is kept like a run's: tables, bench compare and bench publish take it.
    """
    from bench.commands.wanted import DEFAULT_DATASET, depths
    from bench.errors import UsageError
    from bench.report import formats, rows, table
    from bench.report.progress import display
    from bench.run.outside import score as judged
    from bench.run.plan import Plan
    from bench.run.timing import NONE
    from bench.store.results import Store

    check_writable(json_file)
    if asked["data"] is not None and asked["dataset"]:
        raise UsageError("give either --data or --dataset: answers are to one task")
    plan = Plan(
        method=name or answers.stem,
        dataset=asked["dataset"] or DEFAULT_DATASET,
        data=asked["data"],
        columns=columns(asked["column_texts"]),
        protocol=asked["protocol"],
        conventions=conventions(asked),
        eligible=asked["eligible"],
        ks=depths(asked["ks"]),
        timing=NONE,
    )
    with display(surroundings.err, quiet=quiet) as shown:
        shown.begin(f"{plan.method} on {plan.data or plan.dataset}")
        record = judged(plan, answers, surroundings.home(results, cache, data_root), shown)
    if json_file is not None:
        json_file.write_text(formats.json_lines([record]), encoding="utf-8")
    table.show(surroundings.out, rows.group([record], short_ids=Store(results).short_ids()))
