"""Artifacts and results through a place that all nodes reach but none has mounted: any URL of fsspec.

    URL/artifacts/<method>/<phase>-<key>/     as in a cache
    URL/runs/<spec>/<execution>/              as in results

A folder's last file is its marker: whoever finds that finds all others. Nothing is changed once it is there.
"""

from __future__ import annotations

import importlib
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bench import cache
from bench.errors import StoreError, Unavailable
from bench.store.results import Store

ARTIFACT, RESULT = "artifact.json", "result.json"


@dataclass(frozen=True, slots=True)
class Exchange:
    """The place at `url` ("s3://bucket/bench", "file:///mnt/bench"); artifacts are those of the cache in `cache`."""

    url: str
    cache: Path

    def check(self) -> None:
        """Raise Unavailable or StoreError where the place cannot be written to and read back."""
        name = f".{uuid.uuid4().hex}"
        try:
            files, root = self._open()
            files.makedirs(root, exist_ok=True)
            files.pipe_file(f"{root}/{name}", b"bench")
            files.rm_file(f"{root}/{name}")
        except ImportError as error:
            raise Unavailable(f"--through {self.url}: {error}") from error
        except (OSError, ValueError) as error:
            raise StoreError(f"--through {self.url} cannot be used ({error}); name another place") from error

    def fetch(self, final: Path) -> None:
        """Bring the artifact `final` here if it is there and not here; it appears whole or not at all."""
        files, root = self._open()
        place = f"{root}/{final.relative_to(self.cache).as_posix()}"
        if not final.is_dir() and files.exists(f"{place}/{ARTIFACT}"):
            cache.build(final, lambda folder: _download(files, place, folder))

    def offer(self, final: Path) -> None:
        """Put an artifact that was made here there, in place of a damaged one."""
        files, root = self._open()
        _upload(files, final, f"{root}/{final.relative_to(self.cache).as_posix()}", ARTIFACT)

    def offer_run(self, folder: Path) -> None:
        """Put an execution there; raises StoreError where that fails."""
        files, root = self._open()
        try:
            _upload(files, folder, f"{root}/runs/{folder.parent.name}/{folder.name}", RESULT)
        except OSError as error:
            raise StoreError(f"the result could not be handed on to {self.url} ({error})") from error

    def gather(self, store: Store) -> int:
        """Bring every execution there that `store` lacks; how many."""
        files, root = self._open()
        found = [PurePosixPath(path).parts[-3:-1] for path in files.glob(f"{root}/runs/*/*/{RESULT}")]
        missing = [parts for parts in found if not store.runs.joinpath(*parts).is_dir()]
        for spec, stamp in missing:
            self.bring(store, f"{spec}/{stamp}")
        return len(missing)

    def bring(self, store: Store, run: str) -> None:
        """Bring the execution with this run id, unless `store` has it."""
        final = store.runs / run
        if final.is_dir():
            return
        files, root = self._open()
        begun = cache.begin(store.runs, final.name)
        try:
            _download(files, f"{root}/runs/{run}", begun)
            final.parent.mkdir(exist_ok=True)
            begun.rename(final)
        except OSError as error:
            raise StoreError(f"{run} could not be brought from {self.url} ({error}); it is still there") from error
        finally:
            shutil.rmtree(begun, ignore_errors=True)

    def _open(self) -> tuple[Any, str]:
        try:
            core = importlib.import_module("fsspec.core")
        except ImportError as error:
            raise Unavailable("fsspec is not installed here: pip install 'bench[ray]'") from error
        files, root = core.url_to_fs(self.url)
        files.invalidate_cache()  # others write there too
        return files, root.rstrip("/")


def _download(files: Any, place: str, folder: Path) -> None:
    for path in files.find(place):
        name = PurePosixPath(path).relative_to(PurePosixPath(place))
        if not name.name.startswith("."):
            folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
            files.get_file(path, str(folder / name))


def _upload(files: Any, folder: Path, place: str, marker: str) -> None:
    """Put a folder's files there, the marker last and whole; one that is there already goes first."""
    if files.exists(f"{place}/{marker}"):
        files.rm_file(f"{place}/{marker}")
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / marker):
        there = f"{place}/{path.relative_to(folder).as_posix()}"
        files.makedirs(there.rpartition("/")[0], exist_ok=True)
        files.put_file(str(path), there)
    begun = f"{place}/.{marker}.{uuid.uuid4().hex}"
    files.makedirs(place, exist_ok=True)
    files.put_file(str(folder / marker), begun)
    files.mv(begun, f"{place}/{marker}")
