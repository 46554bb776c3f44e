"""From the store to a folder that can be put on a site."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import vl_convert

from bench.cache import write_text
from bench.errors import UsageError
from bench.publication.charts import Chart, frontiers, losses
from bench.publication.entries import Entry
from bench.publication.page import Section, render
from bench.report import formats, standing
from bench.report.columns import Record, main_k
from bench.report.rows import TaskRows, group, is_bound
from bench.report.schedule import newest_of
from bench.report.selection import newest
from bench.store import turns
from bench.store.columns import REQUESTS, TIMINGS
from bench.store.results import Store, stem_of
from bench.suites import Suite

PARQUET = (REQUESTS, TIMINGS)
SCALE = 2.0  # of PNG files


def of_suite(suite: Suite, store: Store) -> list[TaskRows]:
    """The newest execution of every run of a suite, failed ones too, under the suite's labels."""
    records, found, labels = store.listed(), [], dict[str, str]()
    seeds = len({entry.plan.seed for entry in suite.entries}) > 1
    for entry in suite.entries:
        record = newest_of(entry.plan, records)
        if record is None:
            continue
        label = standing.label_of(suite, entry)
        labels[str(record["run_id"])] = f"{label}, seed {entry.plan.seed}" if seeds else label
        found.append(record)
    return [
        dataclasses.replace(task, labels=tuple(labels[str(record["run_id"])] for record in task.records))
        for task in group(found, short_ids=store.short_ids())
    ]


def of_store(store: Store) -> list[TaskRows]:
    """The newest execution of every run that the store holds."""
    return group(newest(store.listed()), short_ids=store.short_ids())


def publish(tasks: Sequence[TaskRows], store: Store, out: Path, title: str, suite: Suite | None, source: str) -> Path:
    """Write everything into `out` and return the page; source: the text of the suite's file, "" for none.

    The records and tables come first, the page last, each whole or not at all. Raises UsageError where there is no
    result to publish.
    """
    if not any(task.ranked() or task.bounds() for task in tasks):
        raise UsageError(f"the store {store.root} has no result to publish: bench run or bench sweep makes some")
    (out / "runs").mkdir(parents=True, exist_ok=True)
    sections = [_section(task, store, suite) for task in tasks]
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
    for at, section in enumerate(sections):
        for chart in section.charts:
            _figure(chart, out / "figures", f"{_slug(section.rows.title) or at}-{chart.name}")
    made = datetime.now(UTC).strftime("Published on %d %B %Y by bench")
    page = out / "index.html"
    write_text(page, render(title, sections, f"{made}, from {len(records)} runs", source))
    return page


def _section(task: TaskRows, store: Store, suite: Suite | None) -> Section:
    named = {} if suite is None else {standing.label_of(suite, one): one.label for one in suite.entries}
    entries = tuple(
        Entry(
            label,
            named.get(label, label),
            record,
            task.short_id(record) or str(record["run_id"])[:8],
            stem_of(str(record["run_id"])),
        )
        for label, record in [*task.ranked(), *task.bounds()]
    )
    charts = (*frontiers(entries), *losses(entries))
    contest = standing.Contest(task.title)
    for entry in entries:
        there = store.file(str(entry.record["run_id"]), REQUESTS)
        if there is not None and not is_bound(entry.record):
            label, _, _ = entry.label.rpartition(", seed ")
            contest.runs.setdefault(label or entry.label, {})[int(entry.record["seed"])] = entry.record
    timed = turns.newest(store.root, [str(entry.record["run_id"]) for entry in entries])
    if len(contest.runs) < 2:
        return Section(task, entries, charts, turns=timed)
    first = next(iter(contest.runs))
    if suite is not None:
        order = [standing.label_of(suite, entry) for entry in suite.entries]
        first = next((label for label in order if label in contest.runs), first)
    metric = f"recall@{main_k(contest.records)}"
    found = standing.measured(contest, store, first, metric)
    words = f"Beside {first}. {standing.words(found)}"
    return Section(task, entries, charts, tuple(standing.lines(found, metric)), words, timed)


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
