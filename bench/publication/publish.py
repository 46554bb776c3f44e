"""From the store to a folder that can be put on a site."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import vl_convert

from bench.cache import write_text
from bench.errors import UsageError
from bench.publication.charts import Chart, frontiers, losses
from bench.publication.entries import Entry
from bench.publication.page import Section, render
from bench.report import formats, standing, wording
from bench.report.axes import axes
from bench.report.columns import Record, lookup, main_k
from bench.report.cost import Bill
from bench.report.cost_columns import cost_columns, remarks
from bench.report.equal_recall import equal_recall
from bench.report.rows import TaskRows, is_bound
from bench.report.sheet import Sheet
from bench.store import turns
from bench.store.columns import REQUESTS, TIMINGS
from bench.store.results import Store, stem_of
from bench.suites import Suite

PARQUET = (REQUESTS, TIMINGS)
SCALE = 2.0  # of PNG files


def publish(
    tasks: Sequence[TaskRows], store: Store, out: Path, title: str, suite: Suite | None, source: str, bill: Bill
) -> Path:
    """Write everything into `out` and return the page; source: the text of the suite's file, "" for none; bill: what is
    asked of costs.

    The records and tables come first, the page last, each whole or not at all. Raises UsageError where there is no
    result to publish.
    """
    if not any(task.ranked() or task.bounds() for task in tasks):
        raise UsageError(f"the store {store.root} has no result to publish: bench run or bench sweep makes some")
    (out / "runs").mkdir(parents=True, exist_ok=True)
    sections = [_section(task, store, suite, bill) for task in tasks]
    for task in tasks:
        for record in task.records:
            _keep(record, store, out / "runs")
    records = [record for task in tasks for record in task.records]
    for section in sections:
        if section.turns is not None:
            shutil.copytree(section.turns, out / "turns" / section.turns.name, dirs_exist_ok=True)
    write_text(out / "records.jsonl", formats.json_lines(records))
    for name in ("md", "csv", "latex"):
        write_text(out / f"results.{'tex' if name == 'latex' else name}", formats.WRITERS[name](tasks))
    costs = partial(cost_columns, bill=bill)
    write_text(out / "costs.md", formats.markdown(tasks, costs))
    write_text(out / "costs.csv", formats.values(tasks, costs))
    for at, section in enumerate(sections):
        for chart in section.charts:
            _figure(chart, out / "figures", f"{_slug(section.rows.title) or at}-{chart.name}")
    made = datetime.now(UTC).strftime("Published on %d %B %Y by bench")
    page = out / "index.html"
    write_text(page, render(title, sections, f"{made}, from {len(records)} runs", source))
    return page


def _section(task: TaskRows, store: Store, suite: Suite | None, bill: Bill) -> Section:
    named = {} if suite is None else {standing.label_of(suite, one): one.label for one in suite.entries}
    entries = tuple(_entry(task, label, record, named) for label, record in [*task.ranked(), *task.bounds()])
    charts = (*frontiers(entries, bill), *losses(entries))
    contest = standing.Contest(task.title)
    for entry in entries:
        there = store.file(str(entry.record["run_id"]), REQUESTS)
        if there is not None and not is_bound(entry.record):
            setting, _ = _parted(entry.label)
            contest.runs.setdefault(setting, {})[int(entry.record["seed"])] = entry.record
            contest.lines[setting] = _parted(entry.line)[0]
    timed = turns.newest(store.root, [str(entry.record["run_id"]) for entry in entries])
    costs = costs_of(task, bill)
    if len(contest.runs) < 2:
        return Section(task, entries, charts, tuple(costs), turns=timed)
    first = next(iter(contest.runs))
    if suite is not None:
        order = [standing.label_of(suite, entry) for entry in suite.entries]
        first = next((label for label in order if label in contest.runs), first)
    metric = f"recall@{main_k(contest.records)}"
    found = standing.measured(contest, store, first, metric)
    equal = equal_recall(contest, store, axes(contest.records, bill), metric, contest.lines[first], ())
    told = tuple(standing.lines(found, metric))
    words = f"Beside {first}. {standing.words(found)}"
    return Section(task, entries, charts, (*equal, *costs), told, words, timed)


def _entry(task: TaskRows, label: str, record: Record, named: Mapping[str, str]) -> Entry:
    """A row; named: of a suite's settings the method. Each seed has a line of its own."""
    setting, seed = _parted(label)
    line = named.get(setting) or str(lookup(record, "method", "name"))
    run = str(record["run_id"])
    return Entry(label, f"{line}{seed}", record, task.short_id(record) or run[:8], stem_of(run))


def _parted(label: str) -> tuple[str, str]:
    """What a label says of the setting, and ", seed 1" where it says a seed."""
    setting, comma, seed = label.rpartition(", seed ")
    return (setting, f"{comma}{seed}") if comma else (label, "")


def costs_of(task: TaskRows, bill: Bill) -> list[Sheet]:
    """The table of costs of a task's finished rows; none without any."""
    rows = [*task.ranked(), *task.bounds()]
    records = [record for _, record in rows]
    shown = [
        column for column in cost_columns(records, bill) if any(column.value(record) is not None for record in records)
    ]
    lines = tuple(
        {"method": label, **{wording.one_line(column.header): column.text(column.value(record)) for column in shown}}
        for label, record in rows
    )
    return [Sheet("What it costs", lines, " ".join(remarks(records, bill)))] if lines else []


def _keep(record: Record, store: Store, folder: Path) -> None:
    """A run's record and what its requests contributed."""
    run = str(record["run_id"])
    write_text(folder / f"{stem_of(run)}.json", json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    for name in PARQUET:
        source, final = store.file(run, name), folder / f"{stem_of(run)}.{name}"
        if source is not None and source != final:
            shutil.copyfile(source, final)


def _figure(chart: Chart, folder: Path, name: str) -> None:
    """As SVG and PNG, in the light style."""
    folder.mkdir(exist_ok=True)
    spec = {**chart.spec, "width": 560, "height": 340, "background": "white", "title": chart.title}
    write_text(folder / f"{name}.svg", vl_convert.vegalite_to_svg(spec))
    (folder / f"{name}.png").write_bytes(vl_convert.vegalite_to_png(spec, scale=SCALE))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
