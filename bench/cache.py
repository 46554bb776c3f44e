"""Folders that are built once, appear whole or not at all, and are never built twice at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

BEGUN = ".begun-"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` (a file beside what it guards) while the block runs; freed when killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def build(final: Path, make: Callable[[Path], None]) -> Path:
    """`final`, made by `make(folder)` in a folder beside it and renamed when whole, unless it is there already."""
    if final.is_dir():
        return final
    with locked(final.with_name(final.name + ".lock")):
        if not final.is_dir():
            begun = final.with_name(final.name + ".begun")  # a killed builder's remains: the lock says nobody is at it
            shutil.rmtree(begun, ignore_errors=True)
            begun.mkdir(parents=True)
            try:
                make(begun)
                for path in [*begun.rglob("*"), begun]:
                    _sync(path)
                begun.rename(final)
                _sync(final.parent)
            except BaseException:
                shutil.rmtree(begun, ignore_errors=True)
                raise
    return final


def write_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    begun = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        begun.write_text(text, encoding="utf-8")
        _sync(begun)
        begun.replace(path)
    finally:
        begun.unlink(missing_ok=True)


def begin(folder: Path, name: str) -> Path:
    """A new empty folder `.begun-<host>@<process>-<name>` in `folder`; those that killed processes of this host left
    there are removed: of another host's, which shares the folder, nobody here knows whether they live."""
    own = f"{BEGUN}{platform.node()}@"
    for left in folder.glob(f"{glob.escape(own)}*"):
        if not _alive(left.name.removeprefix(own).partition("-")[0]):
            shutil.rmtree(left, ignore_errors=True)
    begun = folder / f"{own}{os.getpid()}-{name}"
    begun.mkdir(parents=True)
    return begun


def _alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
