"""Answers that another system gave, judged as those of a method are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars
from numpy.typing import NDArray

from bench.answer import Answer
from bench.cache import begin
from bench.data.sums import file_sum
from bench.data.task import PARTS, Task
from bench.errors import DataError, UsageError
from bench.run.answers import check
from bench.run.judge import judge
from bench.run.lifecycle import Execution, header
from bench.run.live import change
from bench.run.plan import Home, Plan
from bench.run.prepared import Method
from bench.run.spec import Build, Spec
from bench.run.supervise import Watch
from bench.run.tasks import task_for
from bench.run.timing import NONE
from bench.store import results
from bench.store.results import Store, run_id

COLUMNS = {"request": polars.Int64, "rank": polars.Int64, "item": polars.Utf8}
KINDS = (".parquet", ".csv")
ORIGIN = "outside"  # in a record's method: its answers were given elsewhere
SHOWN = 3


def score(plan: Plan, answers: Path, home: Home, watch: Watch) -> dict[str, Any]:
    """The record of the answers in a file to the plan's task, stored like a run; `plan.method` is the system's name.

    The file is as `read` takes it; answers beyond the plan's k are left out. A test request without one counts as
    finding nothing; validation requests need not be answered at all. Raises UsageError or DataError for a file that
    cannot be used, InvalidAnswer for an answer that no method might give.
    """
    table = read(answers)
    task = task_for(plan, home, watch)
    watch.stage("metrics")
    _refuse_unknown_requests(table, task, answers)
    catalog = change(task, None, plan.seed)
    digest = file_sum(answers).partition(":")[2]
    temporary = begin(home.cache / "scratch", digest[:16])
    try:
        for part in PARTS:
            requests = task.requests(part)
            ids = placed(table, requests.keys, task, plan.k)
            missing = int(np.count_nonzero(ids[:, 0] < 0))
            if part == "test" and missing == len(requests):
                raise DataError(f"{answers} answers no test request; those are {_some(requests.keys)}")
            if missing == len(requests):
                continue
            if missing:
                watch.log(f"{missing:,} of {len(requests):,} {part} requests have no answer: they find nothing")
            check(Answer(ids), requests, plan.k, catalog.after, plan.method)
            np.save(temporary / f"{part}_ids.npy", ids)
        told = {"file": answers.name, "origin": ORIGIN}
        method = Method(plan.method, told, {}, digest[:12], digest, keeps=False, reference=False)
        spec = Spec(task.fingerprint, plan.method, digest, {}, plan.k, plan.seed, NONE)
        with Store(home.results).execution(spec.id) as folder:
            this = Execution(plan, method, task, spec, Build(digest, plan.device, 0), home, watch, folder)
            record = header(this) | judge(task, catalog, plan, temporary, folder) | {"status": "ok"}
            results.write(folder, record)
        return Store(home.results).find(run_id(Path(spec.id, record["run_id"].partition("/")[2])))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read(path: Path) -> polars.DataFrame:
    """A Parquet or CSV file of answers, a row each: request int64 (a key, as `bench data export` writes it), rank int64
    (the least is the best), item text (its raw id); sorted by request and rank. Raises UsageError for another kind of
    file, DataError for one that cannot be read so."""
    if path.suffix not in KINDS:
        raise UsageError(f"{path}: answers are read from {' or '.join(KINDS)}")
    try:
        table = polars.read_csv(path) if path.suffix == ".csv" else polars.read_parquet(path)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    lacking = [name for name in COLUMNS if name not in table.columns]
    if lacking:
        raise DataError(
            f"{path} has no column {', '.join(lacking)}, but {', '.join(table.columns)}; it needs request (as bench "
            f"data export writes it), rank (1 is the best) and item (its raw id), a row an answer"
        )
    try:
        table = table.select(polars.col(name).cast(kind) for name, kind in COLUMNS.items())
    except polars.exceptions.PolarsError as error:
        raise DataError(f"{path}: request and rank must be whole numbers: {error}") from error
    empty = [name for name in COLUMNS if table[name].null_count()]
    if empty:
        raise DataError(f"{path} has rows without {' or '.join(empty)}; remove them")
    table = table.sort("request", "rank")
    twice = table.filter(
        (polars.struct("request", "rank") == polars.struct("request", "rank").shift()).fill_null(False)
    )
    if len(twice):
        request, rank, _ = twice.row(0)
        raise DataError(f"{path}: request {request} has rank {rank} twice; which of the two is better?")
    return table


def placed(table: polars.DataFrame, keys: NDArray[np.int64], task: Task, k: int) -> NDArray[np.int32]:
    """The first k answers to the requests `keys` int64 [B], in the order of `read`: int32 [B, k], -1 after the last."""
    asked = polars.DataFrame({"request": np.asarray(keys), "row": np.arange(len(keys))})
    place = polars.int_range(polars.len()).over("request").alias("place")
    mine = table.join(asked, on="request", how="inner", maintain_order="left").with_columns(place)
    mine = mine.filter(polars.col("place") < k)
    names = polars.Series("item", task.item_ids(np.arange(task.about["items"])), polars.Utf8)
    known = polars.DataFrame({"item": names, "id": np.arange(len(names), dtype=np.int32)})
    mine = mine.join(known, on="item", how="left", maintain_order="left")
    strange = mine.filter(polars.col("id").is_null())["item"].unique(maintain_order=True)
    if len(strange):
        raise DataError(
            f"{len(strange):,} answered items are none of the catalog: {_some(strange)}; raw ids are written as the "
            f"data set does, such as {_some(names)}"
        )
    ids = np.full((len(keys), k), -1, np.int32)
    ids[mine["row"].to_numpy(), mine["place"].to_numpy()] = mine["id"].to_numpy()
    return ids


def _refuse_unknown_requests(table: polars.DataFrame, task: Task, answers: Path) -> None:
    """Raise DataError where a request is of neither part."""
    known = np.concatenate([task.requests(part).keys for part in PARTS])
    asked = table["request"].unique(maintain_order=True).to_numpy()
    strange = asked[~np.isin(asked, known)]
    if len(strange):
        raise DataError(
            f"{answers}: {len(strange):,} of its {len(asked):,} requests are none of this task, such as "
            f"{_some(strange)}; it has {_some(known)}. Are data set, protocol and conventions those of the export?"
        )


def _some(values: polars.Series | NDArray[Any]) -> str:
    return ", ".join(map(str, values[:SHOWN])) + (" ..." if len(values) > SHOWN else "")
