"""Stored answers measured again on some of the items, the same ones in every run on a data set.

A run's own groups (`recall@50/cold`) follow its own training. To set runs beside each other whose training ended at
different moments, take the groups of one of them and carry them over:

    live, retrained = (Stored.open(store, run, cache) for run in ("1f0c", "9a77"))
    new = training_groups(live.task.popularity(), live.task.about["training_items"])["new"]
    keys, recalls = live.recall(50, new)
    later, others = retrained.recall(50, carried(new, of=live.task, to=retrained.task))
    compare({"recall@50": recalls}, {"recall@50": others}, (keys, later), seed=0)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.data.ragged import Ragged
from bench.data.task import Task
from bench.errors import UsageError
from bench.metrics.accuracy import Values, recall
from bench.run.live import change
from bench.run.plan import Live
from bench.store.columns import read_answers
from bench.store.results import Store, read


@dataclass(frozen=True, slots=True)
class Stored:
    """An execution and the task that it answered."""

    task: Task
    folder: Path
    record: dict[str, Any]

    @classmethod
    def open(cls, store: Store, run: str, cache: Path) -> Stored:
        """The run that `run` (the beginning of a run id) names; `cache` holds its task.

        Raises UnknownName, StoreError, CorruptCache where the task is no longer there.
        """
        folder = store.folder(run)
        record = read(folder)
        return cls(Task.open(cache / "tasks" / record["task"]["folder"]), folder, record)

    def recall(
        self, k: int, items: NDArray[np.bool_] | None = None, of: Literal["answers", "oracle"] = "answers"
    ) -> tuple[NDArray[np.int64], Values]:
        """keys int64 [B] of the test requests and recall@k float32 [B] over the targets among `items`.

        items: bool [task items], None for all; NaN where a request has no such target. of: the method's answers or the
        oracle's, which may be to a sample of the requests.
        """
        keys, ids = read_answers(self.folder, file=f"{of}.parquet")
        known = self.task.requests("test").keys
        rows = np.searchsorted(known, keys)
        if len(keys) and (rows.max(initial=0) >= len(known) or (known[rows] != keys).any()):
            raise UsageError(f"{self.folder}: the answers are to other requests than those of its task")
        live = self.record.get("live")
        changed = change(self.task, None if live is None else Live(live["remove"]), self.record["seed"])
        targets = changed.without_removed(self.task.targets("test")).take(rows)
        if items is not None:
            targets = targets.keep(items[targets.values])
        over = self.task.about["conventions"]["recall_over"]
        return keys, recall(_padded(ids, k), targets, k, over)


def carried(items: NDArray[np.bool_], of: Task, to: Task) -> NDArray[np.bool_]:
    """The same items in the ids of another task of the same data set: bool [items of `of`] -> bool [items of `to`]."""
    first, second = of.dataset_ids(), to.dataset_ids()
    if of.about["dataset"] != to.about["dataset"] or len(first) != len(second):
        raise UsageError(f"{of.about['dataset']} and {to.about['dataset']} are not the same data set")
    marked = np.zeros(len(first), np.bool_)
    marked[first] = items
    return marked[second]


def _padded(ids: Ragged, k: int) -> NDArray[np.int32]:
    """The first k ids of each row, int32 [B, k], -1 after the last."""
    place = ids.offsets[:-1, None] + np.arange(k)  # (B, k)
    inside = place < ids.offsets[1:, None]
    found = np.full(inside.shape, -1, np.int32)
    found[inside] = ids.values[place[inside]]
    return found
