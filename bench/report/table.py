"""The result table in a terminal: as many columns as fit, bounds below a rule, failures with their reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.box import Box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench.report import wording
from bench.report.columns import Column, Record, columns
from bench.report.rows import TaskRows, is_bound
from bench.report.verdict import failure, verdict

Columns = Callable[[Sequence[Record]], list[Column]]

LABEL_LIMIT = 34
_BLANK, _RULE = "    ", " ── "
_LINES = Box("\n".join([_BLANK, _BLANK, _RULE, _BLANK, _RULE, _RULE, _BLANK, _BLANK]) + "\n")


def show(console: Console, tasks: Sequence[TaskRows], *, verdicts: bool = True, of: Columns = columns) -> None:
    """Print one table a task, with a sentence a row; of: which columns."""
    for at, task in enumerate(tasks):
        console.print(render(task, console.width, verdicts=verdicts, of=of))
        if at + 1 < len(tasks):
            console.print()


def render(task: TaskRows, width: int, *, verdicts: bool = True, of: Columns = columns) -> RenderableType:
    """The table of one task and what its rows mean."""
    parts: list[RenderableType] = [Text(task.title, "bold"), Text(task.facts, "dim")]
    parts += [Text(task.notes, "dim")] if task.notes else []
    if task.ranked() or task.bounds():
        parts.append(_table(task, fitting(task, width, of)))
    lines = [failure(label, record) for label, record in task.failed()]
    if verdicts:
        lines = [verdict(label, record, task) for label, record in [*task.ranked(), *task.bounds()]] + lines
    sentences = Table.grid(padding=(0, 1, 0, 0))
    for line in lines:
        text = Text(line.text)
        text.highlight_words([line.label], "bold red" if line.failed else "bold")
        text.append(f"  ({line.more})" if line.more else "", "dim")
        sentences.add_row(Text("✗", "red") if line.failed else Text("▸", "cyan"), text)
    if lines:
        parts.append(Padding(sentences, (1, 0, 0, 0)))
    return Group(*parts)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a table shows: columns, the names of those with their interval, blanks between columns beyond the first."""

    columns: tuple[Column, ...]
    with_interval: frozenset[str]
    gap: int


def fitting(task: TaskRows, width: int, of: Columns = columns) -> Layout:
    """The richest layout of at most `width` characters: intervals go first, then columns by their importance."""
    rows = [record for _, record in [*task.ranked(), *task.bounds()]]
    shown = tuple(column for column in of(rows) if any(wording.known(column.value(row)) for row in rows))
    every = frozenset(column.name for column in shown if column.path and column.path[0] == "metrics")
    recalls = frozenset(name for name in every if name.startswith("recall"))
    main = frozenset(column.name for column in shown if column.importance == 100)
    layouts = [Layout(shown, names, gap) for names in (every, recalls, main) for gap in (1, 0)]
    layouts.remove(Layout(shown, every, 0))
    while len(shown) > 1:
        shown = tuple(column for column in shown if column is not min(shown, key=lambda one: one.importance))
        layouts.append(Layout(shown, main if len(shown) > 6 else frozenset(), 0))
    return next((layout for layout in layouts if _width(task, layout) <= width), layouts[-1])


def cell(column: Column, record: Record, *, interval: bool) -> str:
    """A value as text, ".412 ±.008" with its interval (the larger of the two sides)."""
    value = column.value(record)
    text = column.text(value)
    bounds = column.interval(record) if interval else None
    if value is None or bounds is None:
        return text
    side = max(bounds[1] - value, value - bounds[0], 0.0)
    return f"{text} ±{column.text(side)}"


def _table(task: TaskRows, layout: Layout) -> Table:
    table = Table(box=_LINES, padding=(0, layout.gap, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("\nmethod", no_wrap=True, overflow="ellipsis", max_width=_label_width(task))
    for column in layout.columns:
        table.add_column(_header(column), justify="right", no_wrap=True)
    if _id_width(task):
        table.add_column("\nrun", no_wrap=True)
    ranked, bounds = task.ranked(), task.bounds()
    best = {column.name: _best(column, [record for _, record in ranked]) for column in layout.columns}
    for label, record in [*ranked, *bounds]:
        texts = [
            Text(
                cell(column, record, interval=column.name in layout.with_interval),
                _style(column, record, best[column.name]),
            )
            for column in layout.columns
        ]
        if _id_width(task):
            texts.append(Text(task.short_id(record), "dim"))
        name = Text(f"{label} (bound)" if is_bound(record) else label)
        last_ranked = bool(ranked and bounds) and record is ranked[-1][1]
        table.add_row(name, *texts, end_section=last_ranked, style="dim italic" if is_bound(record) else "")
    return table


def _best(column: Column, rows: Sequence[Record]) -> float | None:
    values = [value for value in map(column.value, rows) if value is not None]
    return max(values) if column.best == "high" and len(values) > 1 else None


def _style(column: Column, record: Record, best: float | None) -> str:
    return "bold green" if best is not None and column.value(record) == best and not is_bound(record) else ""


def _header(column: Column) -> str:
    return column.header if "\n" in column.header else "\n" + column.header


def _label_width(task: TaskRows) -> int:
    rows = [*task.ranked(), *task.bounds()]
    widths = [len(label) + (8 if is_bound(record) else 0) for label, record in rows]
    return min(LABEL_LIMIT, max(len("method"), *widths))


def _id_width(task: TaskRows) -> int:
    """0 where no row is in the store."""
    widths = [len(task.short_id(record)) for _, record in [*task.ranked(), *task.bounds()]]
    return max(len("run"), *widths) if any(widths) else 0


def _width(task: TaskRows, layout: Layout) -> int:
    rows = [record for _, record in [*task.ranked(), *task.bounds()]]
    run = _id_width(task)
    total = _label_width(task) + (run + 1 + layout.gap if run else 0)
    for column in layout.columns:
        cells = [len(cell(column, row, interval=column.name in layout.with_interval)) for row in rows]
        total += max([*cells, *map(len, column.header.split("\n"))]) + 1 + layout.gap
    return total
