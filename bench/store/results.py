"""Results on disk: `runs/<spec>/<execution>/` with result.json, requests.parquet, answers.parquet, timing.parquet
(every repetition) and log.txt.

A folder may also hold published results, `records.jsonl`: one record a line, to be listed, drawn and held against new
runs; what each request contributed then lies in runs/<spec id>-<execution id>.requests.parquet, where it is kept.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cache import begin, write_text
from bench.errors import StoreError, UnknownName

if TYPE_CHECKING:
    import pandas as pd

LATEST = "latest"  # in place of a run id
SHORT = 4  # characters of a run id in a table


class Store:
    """The executions below one folder. A folder appears whole or not at all; nothing is ever changed afterwards."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"

    @contextlib.contextmanager
    def execution(self, spec_id: str) -> Iterator[Path]:
        """A new folder for one execution of `spec_id`, moved to its place when the block ends without an error."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        try:
            begun = begin(self.runs, stamp)
        except OSError as error:
            raise StoreError(
                f"{self.runs}: results cannot be written here ({error}); name another folder by --results"
            ) from error
        try:
            yield begun
            final = self.runs / spec_id / stamp
            final.parent.mkdir(exist_ok=True)
            begun.rename(final)
        except OSError as error:
            raise StoreError(
                f"{begun}: the result could not be written ({error}); earlier results are intact"
            ) from error
        finally:
            shutil.rmtree(begun, ignore_errors=True)

    def folders(self) -> list[Path]:
        """The folder of every execution, oldest first."""
        found = [
            path.parent for path in self.runs.glob("*/*/result.json") if not path.parent.parent.name.startswith(".")
        ]
        return sorted(found, key=lambda folder: (folder.name, folder.parent.name))

    def text(self, run_id: str) -> str:
        """The result of an execution, as it is written."""
        return (self.runs / run_id / "result.json").read_text(encoding="utf-8")

    def records(self) -> list[dict[str, Any]]:
        """The result of every execution, oldest first."""
        return [read(folder) for folder in self.folders()]

    def listed(self) -> list[dict[str, Any]]:
        """Every result, of executions and published ones, oldest first."""
        found = {record["run_id"]: record for record in [*self._published(), *self.records()]}
        return sorted(found.values(), key=lambda record: str(record["run_id"]).rpartition("/")[2])

    def _published(self) -> list[dict[str, Any]]:
        """The lines of records.jsonl; raises StoreError for one that is no record."""
        path = self.root / "records.jsonl"
        found: list[dict[str, Any]] = []
        for at, line in enumerate(path.read_bytes().splitlines() if path.is_file() else [], 1):
            try:
                record = json.loads(line)
            except ValueError as error:
                raise StoreError(f"{path}, line {at} cannot be read ({error}); mend or remove it") from error
            if not isinstance(record, dict) or "run_id" not in record:
                raise StoreError(f"{path}, line {at} is no record of a run; mend or remove it")
            found.append(record)
        return found

    def executions(self, spec_id: str) -> list[dict[str, Any]]:
        """The results of one spec, oldest first."""
        return [read(path.parent) for path in sorted((self.runs / spec_id).glob("*/result.json"))]

    def folder(self, run: str) -> Path:
        """The folder of the run that `run` names: "latest", a run id, or the beginning of its spec ("3f2a", the newest
        execution) or of both its parts ("3f2a/2026").
        """
        return self.runs / _named(run, [run_id(folder) for folder in self.folders()])

    def file(self, run: str, name: str) -> Path | None:
        """Where the file `name` of the run with the id `run` lies, of an execution or beside published results."""
        places = (self.runs / run / name, self.runs / f"{stem_of(run)}.{name}")
        return next((path for path in places if path.is_file()), None)

    def short_ids(self) -> dict[str, str]:
        """Of every run id the shortest text that `folder` takes for it, of its spec SHORT characters at least."""
        executions: dict[str, list[str]] = {}
        for folder in self.folders():
            executions.setdefault(folder.parent.name, []).append(folder.name)
        found: dict[str, str] = {}
        for spec, short in _beginnings(executions, SHORT).items():
            found |= {f"{spec}/{name}": f"{short}/{one}" for name, one in _beginnings(executions[spec], 1).items()}
            found[f"{spec}/{executions[spec][-1]}"] = short  # the newest needs no more
        return found

    def find(self, run: str) -> dict[str, Any]:
        """The result that `run` names (see `folder`), of an execution or a published one."""
        published = {str(record["run_id"]): record for record in self._published()}
        name = _named(run, sorted({*published, *map(run_id, self.folders())}, key=lambda one: one.rpartition("/")[2]))
        folder = self.runs / name
        return read(folder) if (folder / "result.json").is_file() else published[name]

    def frame(self) -> pd.DataFrame:
        """One row a result, nested keys joined by dots: `metrics.recall@50.value`, `method.name`."""
        import pandas as pd

        return pd.json_normalize(self.listed())


def _beginnings(names: Iterable[str], least: int) -> dict[str, str]:
    """Of every name the shortest beginning, of `least` characters at least, that begins no other."""
    ordered, found = sorted(names), {}
    for before, name, after in zip(["", *ordered], ordered, [*ordered[1:], ""], strict=False):
        length = least
        while name[:length] in (before[:length], after[:length]) and length < len(name):
            length += 1
        found[name] = name[:length]
    return found


def run_id(folder: Path) -> str:
    """The name of the execution in `folder`: "<spec>/<execution>"."""
    return f"{folder.parent.name}/{folder.name}"


def _named(run: str, known: Sequence[str]) -> str:
    """The one of the run ids, oldest first, that `run` names."""
    spec, _, stamp = run.partition("/")
    matches = [one for one in known if one.startswith(spec) and one.partition("/")[2].startswith(stamp)]
    matches = list(known[-1:]) if run == LATEST else matches
    if not matches:
        raise UnknownName("run", run, [LATEST, *known[-10:]] if known else [])
    if len({one.partition("/")[0] for one in matches}) > 1:
        raise StoreError(f"{run!r} begins the names of several runs: {', '.join(sorted(matches))}")
    return matches[-1]


def stem_of(run: str) -> str:
    """A run id as a published file's name: "0e194f9f0db15c5a/20261123T223733.085002" without slash and dot."""
    return run.replace("/", "-").replace(".", "")


def read(folder: Path) -> dict[str, Any]:
    """The result in `folder`, with its run id."""
    try:
        record: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder / 'result.json'} cannot be read ({error}); delete the folder {folder}") from error
    record["run_id"] = run_id(folder)
    return record


def write(folder: Path, record: dict[str, Any]) -> None:
    """Put `record` into an execution's folder."""
    write_text(folder / "result.json", json.dumps(record, indent=1, allow_nan=False) + "\n")
