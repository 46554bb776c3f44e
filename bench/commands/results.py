"""`bench results`, `bench inspect` and `bench compare`: what lies in the store."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from bench.commands.examples import examples
from bench.commands.options import Surroundings, cache_option, pass_surroundings, prices_option, results_option
from bench.errors import UsageError


@click.command(
    "results",
    epilog=examples(
        (
            "Only DVF's runs on one data set, fastest first:",
            "bench results --filter method=dvf --filter dataset=movielens-1m --sort p50",
        ),
        (
            "For a paper, or another program:",
            "bench results --format latex > table.tex\n\nbench results --format csv > results.csv",
        ),
    ),
)
@click.option(
    "--filter",
    "conditions",
    multiple=True,
    metavar="CONDITION",
    help="Only rows that meet it: method=dvf, status!=ok, recall@50>0.3, ef=200. May be repeated.",
)
@click.option(
    "--sort",
    "by",
    metavar="COLUMN",
    show_default="recall@50",
    help="By recall@10, p50, train, memory and so on, best first; -COLUMN turns it round.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "md", "csv", "json", "latex"]),
    default="table",
    show_default=True,
    help="What to print.",
)
@click.option("--all", "every", is_flag=True, help="Every execution, not only the newest of equal runs.")
@results_option
@pass_surroundings
def results(
    surroundings: Surroundings,
    /,
    conditions: tuple[str, ...],
    by: str | None,
    form: str,
    every: bool,
    results: Path,
) -> None:
    """The results so far, one table a task.

    A folder of published results (records.jsonl, one record a line) is read as well: --results results/dvf.
    """
    from bench.report import formats, rows, selection, table
    from bench.store.results import Store

    store = Store(results)
    records = store.listed()
    found = selection.select(records if every else selection.newest(records), conditions)
    tasks = rows.group(found, by, store.short_ids())
    if form != "table":
        click.echo(formats.WRITERS[form](tasks), nl=False)
    elif tasks:
        table.show(surroundings.out, tasks, verdicts=False)
    else:
        surroundings.out.print(
            f"no results in {results}" + (" meet the conditions" if records else "; bench run makes some")
        )


@click.command(
    "inspect",
    epilog=examples(
        ("A run's parameters, metrics with intervals, costs and log:", "bench inspect 3f2a"),
        ("Its eighth request: history, targets, answers with hits marked:", "bench inspect 3f2a --request 7"),
    ),
)
@click.argument("run")
@click.option(
    "--request", "at", type=click.IntRange(min=0), metavar="N", help="One request of the test part, by number from 0."
)
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Answers to show.")
@results_option
@cache_option
@pass_surroundings
def inspect(
    surroundings: Surroundings, /, run: str, at: int | None, top: int, results: Path, cache: Path | None
) -> None:
    """One run in full, or one of its requests.

    RUN is a run's id or the beginning of it, as tables show it, or "latest".
    """
    from bench.report import inspection
    from bench.store.results import Store, read

    folder = Store(results).folder(run)
    record = read(folder)
    if at is None:
        surroundings.out.print(inspection.run(record, folder))
    else:
        task = inspection.task_of(record, surroundings.home(results, cache, None).cache)
        surroundings.out.print(inspection.request(record, folder, task, at, top))


@click.command(
    "compare",
    epilog=examples(
        ("Is the second run better than the first?", "bench compare 3f2a 77c0"),
        ("Three runs against a first:", "bench compare 3f2a 77c0 09ab e41d --metric recall@200"),
        ("The methods of a suite, over its seeds:", "bench compare suites/two-tower-loss.toml --baseline softmax"),
        (
            "What its methods cost at equal recall, in money too:",
            "bench compare suites/ann.toml --at .9 --at .99 --prices prices.toml",
        ),
        (
            "What a change of the code did, where both were run:",
            "bench sweep ours.toml\n\ngit switch faster\n\nbench sweep ours.toml\n\nbench compare main faster",
        ),
    ),
)
@click.argument("runs", nargs=-1, required=True, metavar="BASELINE CONTENDER... | SUITE.toml [SUITE.toml]")
@click.option(
    "--all", "every", is_flag=True, help="Of two runs all metrics, those of groups of items and requests too."
)
@click.option(
    "--baseline", metavar="LABEL", help="Of a suite: the method beside which the others stand; else its first."
)
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="Of a suite or several runs; else the middle recall."
)
@click.option(
    "--at",
    "recalls",
    type=click.FloatRange(0, 1),
    multiple=True,
    metavar="RECALL",
    help="Of a suite or several runs: a recall at which costs are read off; else some that most methods reach.",
)
@prices_option
@results_option
@cache_option
@pass_surroundings
def compare(
    surroundings: Surroundings,
    /,
    runs: tuple[str, ...],
    every: bool,
    baseline: str | None,
    metrics: tuple[str, ...],
    recalls: tuple[float, ...],
    prices: Path | None,
    results: Path,
    cache: Path | None,
) -> None:
    """Is one run better, worse or not distinguishable from another?

    Request by request on the same task: the difference with its interval, and a test of whether chance could make it.
    Of two runs the metrics and costs; where both have an oracle, their scorers are compared too, apart from their
    indexes. Of more runs, or of a suite's methods with all their seeds, a table with ranks; its tests are corrected for
    how many they are. Where a method has several settings, what each costs at equal recall: settings are chosen on the
    validation part, costs read off between them and never beyond. Of a suite also its speed, as bench time has measured
    it last. Of two suites, the methods that they call alike, the second beside the first. A run is its id or the
    beginning of it, as tables show it, or "latest"; two revisions of the code (branches, tags, commits) stand for the
    runs of the store that were made at both, without changes that were not committed.
    """
    from bench.prices import load_prices
    from bench.report import contrast, equal_recall, pairs, standing, turns
    from bench.report.cost import Bill
    from bench.store.results import Store
    from bench.store.turns import newest, read
    from bench.suites import load_suite

    store = Store(results)
    suites = [load_suite(Path(name)) for name in runs if name.endswith(".toml")]
    suite = len(suites) == len(runs) == 1
    if (suites and len(suites) != len(runs)) or len(suites) > 2 or (not suite and (len(runs) == 1 or baseline)):
        raise UsageError(
            "name two runs or more, the baseline first; two revisions; two suites; or one, for which --baseline is"
        )
    if len(suites) == 2:
        both = pairs.of_suites((suites[0], store), (suites[1], store))
        surroundings.out.print(pairs.render(both, metrics, (suites[0].title, suites[1].title)))
        return
    if len(runs) == 2 and (commits := pairs.commits_of(runs, store)):
        both = pairs.of_revisions(store, *commits)
        surroundings.out.print(pairs.render(both, metrics, (runs[0], runs[1])))
        return
    if suite or len(runs) > 2 or metrics or recalls or prices:
        paid = None if prices is None else load_prices(prices)
        bill = None if paid is None else Bill(paid.requests, paid)
        contests = standing.of_suite(suites[0], store) if suite else [standing.of_runs(runs, store)]
        surroundings.out.print(standing.render(contests, store, baseline, metrics))
        tables = equal_recall.render(contests, store, bill, baseline, metrics, recalls)
        for table in tables:
            surroundings.out.print(table)
        if (recalls or prices) and not tables:
            surroundings.err.print("no method has several settings to read costs off between", style="yellow")
        for contest in contests if suite else []:
            timed = newest(store.root, [str(record["run_id"]) for record in contest.records])
            if timed is not None:
                surroundings.out.print(turns.render(read(timed)), highlight=False)
        return
    home = surroundings.home(results, cache, None).cache
    surroundings.out.print(contrast.of_runs(store, runs[0], runs[1], home, every=every))


COMMANDS = (results, inspect, compare)
