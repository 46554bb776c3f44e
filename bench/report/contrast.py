"""Two runs side by side: better, worse or not distinguishable, metric by metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.comparison import Comparison, compare, compare_metric, match_requests
from bench.analysis.regroup import Stored
from bench.data.tables import users_of
from bench.errors import CorruptCache, UsageError
from bench.report import wording
from bench.report.columns import Record, columns, lookup, main_k
from bench.report.rows import group, labels, protocol_text, succeeded
from bench.store.columns import read_requests
from bench.store.results import Store, read

MAIN = ("recall", "ndcg", "mrr", "hit_rate")
COSTS = ("p50", "p99", "qps", "train", "index", "loading", "update", "memory", "scored")
LONGEST_HEAD = 14  # of a run's name above a column; longer ones stand in the title only
STYLES = {"better": "green", "worse": "red", "not distinguishable": "dim"}


def of_runs(store: Store, baseline: str, contender: str, cache: Path, *, every: bool) -> RenderableType:
    """The comparison of two stored runs; cache: where their task is; `every`: all metrics, else the main ones."""
    folders = [store.folder(baseline), store.folder(contender)]
    first, second = map(read, folders)
    refuse_unfinished((first, second))
    if lookup(first, "task", "fingerprint") != lookup(second, "task", "fingerprint"):
        raise UsageError(
            f"the runs are of different tasks ({_task(first)}; {_task(second)}): only runs on the same requests and "
            f"targets can be compared"
        )
    tables = [read_requests(folder) for folder in folders]
    shown = [name for name in tables[0].column_names if "@" in name and (every or name.partition("@")[0] in MAIN)]
    if not every:
        shown = [name for name in shown if "/" not in name]
    keys = (tables[0]["key"].to_numpy(), tables[1]["key"].to_numpy())
    values = [{name: table[name].to_numpy() for name in shown if name in table.column_names} for table in tables]
    ks = [int(name.partition("@")[2]) for name in shown if name.startswith("recall@") and "/" not in name]
    oracles, remark = of_oracles(store, (baseline, contender), cache, ks)
    return render(first, second, compare(values[0], values[1], keys, seed=0) + oracles, remark)


def refuse_unfinished(records: Sequence[Record]) -> None:
    """Raise UsageError for a run that holds an error in place of measurements."""
    for record in records:
        if not succeeded(record):
            raise UsageError(f"run {record['run_id']} ended as {record['status']!r}: it has nothing to compare")


def of_oracles(store: Store, runs: tuple[str, str], cache: Path, ks: Sequence[int]) -> tuple[list[Comparison], str]:
    """The recall of both scorers over all items, "oracle@k"; and what to say of it, or why it is not there.

    It tells models apart from indexes: what each would find if its search lost nothing.
    """
    if not all((store.folder(run) / "oracle.parquet").exists() for run in runs):
        return [], ""
    try:
        baseline, contender = (Stored.open(store, run, cache) for run in runs)
    except CorruptCache:
        return [], f"The oracles are left out: {cache} no longer holds the task (--cache)."
    found = []
    for k in ks:
        (keys, values), (others, contending) = baseline.recall(k, of="oracle"), contender.recall(k, of="oracle")
        rows = match_requests(keys, others)
        users = users_of(keys[rows[0]])
        found.append(compare_metric(f"oracle@{k}", values[rows[0]], contending[rows[1]], 0, "more", users))
    compared = [one for one in found if one is not None]
    return compared, "oracle@k is the recall of the scorer's own best k of all items." if compared else ""


def render(baseline: Record, contender: Record, comparisons: Sequence[Comparison], remark: str = "") -> RenderableType:
    """A table of metrics with difference, interval and p-value; costs; the sentence for the main metric; a remark."""
    first, second = names(baseline, contender)
    heads = (first, second) if max(len(first), len(second)) <= LONGEST_HEAD else ("baseline", "contender")
    asked = sorted({one.requests for one in comparisons})
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, side in (
        ("metric", "left"),
        (heads[0], "right"),
        (heads[1], "right"),
        ("difference", "right"),
        ("95% interval", "left"),
        ("p", "right"),
        *([("requests", "right")] if len(asked) > 1 else []),
    ):
        table.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=10)
    for one in comparisons:
        table.add_row(
            one.metric,
            wording.proportion(one.baseline),
            wording.proportion(one.contender),
            signed(one.difference),
            f"{signed(one.low)} to {signed(one.high)}",
            p_text(one.p_value),
            *([wording.count(one.requests)] if len(asked) > 1 else []),
            Text(one.verdict, STYLES.get(one.verdict, "")),
        )
    title = Text.assemble((f"{second} against {first}", "bold"), f"  {group([baseline])[0].title}")
    parts: list[RenderableType] = [title, table, _costs(baseline, contender, *heads)]
    main = next((one for one in comparisons if one.metric == f"recall@{main_k([baseline, contender])}"), None)
    if main is not None:
        parts.append(Text(sentence(first, second, main)))
    parts.append(
        Text(
            f"Paired by request{f' ({wording.count(asked[0])} of them)' if len(asked) == 1 else ''}: sign-flip test, "
            f"bootstrap interval; p is not corrected for the number of metrics."
            + (_could_show(main) if main is not None else "")
            + (f"\n{remark}" if remark else ""),
            "dim",
        )
    )
    return Group(*parts)


def sentence(first: str, second: str, main: Comparison) -> str:
    """What to say of the main metric."""
    interval = f"95% interval {signed(main.low)} to {signed(main.high)}"
    said = f"({signed(main.difference)}, {interval}, p {p_text(main.p_value, sign=True)})"
    if main.verdict == "not distinguishable":
        return f"On {main.metric} {second} is not distinguishable from {first} {said}."
    return f"{second} is {main.verdict} than {first} on {main.metric} {said}."


def _could_show(main: Comparison) -> str:
    """What the requests were enough for."""
    least, effect = wording.proportion(main.detectable), wording.proportion(abs(main.effect), 2)
    return (
        f" A difference of {least} in {main.metric} would show four times in five; this one is {effect} standard "
        f"deviations of the differences."
    )


def names(baseline: Record, contender: Record) -> tuple[str, str]:
    """What to call the two: by method and what differs, else by run."""
    first, second = labels([baseline, contender])
    return first, second


def signed(value: float) -> str:
    """+.031 or -.004."""
    return f"{'-' if value < 0 else '+'}{wording.proportion(abs(value))}"


def p_text(value: float, *, sign: bool = False) -> str:
    """.0313 with two significant digits, "<.001" below."""
    if value < 0.001:
        return "< .001" if sign else "<.001"
    return f"{'= ' if sign else ''}{wording.proportion(value, 3)}"


def _task(record: Record) -> str:
    return (
        f"{lookup(record, 'task', 'title')}, {protocol_text(record)}, {str(lookup(record, 'task', 'fingerprint'))[:8]}"
    )


def _costs(baseline: Record, contender: Record, first: str, second: str) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("cost", first, second, "ratio"):
        table.add_column(name, justify="left" if name == "cost" else "right")
    for line in cost_lines(baseline, contender, COSTS):
        table.add_row(*line)
    return table


def cost_lines(baseline: Record, contender: Record, names: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    """Of each of the named columns that both have: its header, both values and their ratio, as texts."""
    for column in columns([baseline, contender]):
        one, two = column.value(baseline), column.value(contender)
        if column.name in names and one is not None and two is not None:
            ratio = f"{two / one:.2f}×" if one else wording.NOTHING
            yield wording.one_line(column.header), column.text(one), column.text(two), ratio
