"""The rows of a report from the store: those of a suite, under its labels, or all."""

from __future__ import annotations

import dataclasses

from bench.report.rows import TaskRows, group
from bench.report.schedule import newest_of
from bench.report.selection import newest
from bench.report.standing import label_of
from bench.store.results import Store
from bench.suites import Suite


def of_suite(suite: Suite, store: Store) -> list[TaskRows]:
    """The newest execution of every run of a suite, failed ones too, under the suite's labels."""
    records, found, labels = store.listed(), [], dict[str, str]()
    seeds = len({entry.plan.seed for entry in suite.entries}) > 1
    for entry in suite.entries:
        record = newest_of(entry.plan, records)
        if record is None:
            continue
        label = label_of(suite, entry)
        labels[str(record["run_id"])] = f"{label}, seed {entry.plan.seed}" if seeds else label
        found.append(record)
    return [
        dataclasses.replace(task, labels=tuple(labels[str(record["run_id"])] for record in task.records))
        for task in group(found, short_ids=store.short_ids())
    ]


def of_store(store: Store) -> list[TaskRows]:
    """The newest execution of every run that the store holds."""
    return group(newest(store.listed()), short_ids=store.short_ids())
