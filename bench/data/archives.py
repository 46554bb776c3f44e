"""Unpacking zip, tar and gzip as a stream; a truncated or damaged file is a DataError that names it."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bench.data.sums import check_not_empty
from bench.errors import DataError

_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)


def unpacked(path: Path, member: str | None, scratch: Path) -> Path:
    """`path` itself where it is no archive, else a file under `scratch` with the contents of its `member`.

    member may be None for gzip and for an archive of one file. Raises DataError.
    """
    check_not_empty(path)
    name = path.name.lower()
    tar = name.endswith((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"))
    if not tar and not name.endswith((".zip", ".gz")):
        return path
    scratch.mkdir(parents=True, exist_ok=True)
    out = scratch / (Path(member).name if member else path.stem)
    try:
        with _stream(path, member, tar) as source, out.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    except _DAMAGE as error:
        raise DataError(
            f"{path} is damaged or truncated ({type(error).__name__}: {error}). Delete it and copy or "
            f"download it again."
        ) from error
    check_not_empty(out, f"{path}: its member {member or out.name}")
    return out


@contextlib.contextmanager
def _stream(path: Path, member: str | None, tar: bool) -> Iterator[IO[bytes]]:
    if tar:
        with tarfile.open(path) as packed:
            name = _member(path, member, [one.name for one in packed.getmembers() if one.isfile()])
            extracted = packed.extractfile(name)
            if extracted is None:
                raise tarfile.ReadError(f"{name} cannot be read")
            yield extracted
    elif path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as packed_zip:
            name = _member(path, member, [one for one in packed_zip.namelist() if not one.endswith("/")])
            with packed_zip.open(name) as source:
                yield source
    else:
        with gzip.open(path) as plain:
            yield plain  # type: ignore[misc]  # a GzipFile reads like any binary file


def _member(path: Path, member: str | None, names: list[str]) -> str:
    if member is None and len(names) == 1:
        return names[0]
    if member in names:
        return str(member)
    listing = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    several = "holds several files: unpack one, or write a card with member = '...'"
    what = f"has no member {member!r}" if member else several
    raise DataError(f"{path} {what}. It holds: {listing}.")


def first_octets(path: Path, count: int) -> bytes:
    """The first `count` octets of a file, unpacked where it is gzip or an archive of one file. Raises DataError."""
    name = path.name.lower()
    try:
        if name.endswith((".zip", ".gz", ".tgz", ".tar")):
            with _stream(path, None, name.endswith((".tar", ".tar.gz", ".tgz"))) as source:
                return source.read(count)
        with path.open("rb") as plain:
            return plain.read(count)
    except _DAMAGE as error:
        raise DataError(
            f"{path} is damaged or truncated ({error}). Delete it and copy or download it again."
        ) from error
