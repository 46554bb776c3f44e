"""Downloading: resumed where it stopped, verified, and renamed only when whole."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import requests

from bench.cache import locked, write_text
from bench.context import Progress
from bench.data.cards import File
from bench.data.sums import file_sum
from bench.errors import ChecksumMismatch, DataError

_BLOCK = 1 << 20
_TIMEOUT_SECONDS = (10, 60)  # to connect, between two blocks


class Unreachable(DataError):
    """None of a file's addresses gives it."""


def download(file: File, folder: Path, progress: Progress | None) -> Path:
    """`folder/<file.name>`, fetched from the first of its urls that answers. Raises Unreachable, ChecksumMismatch.

    A transfer that breaks off leaves `<name>.part`, which the next attempt continues. The sum of a file whose card
    names none is recorded beside it (`<name>.sum`) at the first download.
    """
    target = folder / file.name
    failures = []
    with locked(folder / f"{file.name}.lock"):
        if target.is_file():
            return target
        for url in file.urls:
            try:
                _retrieve(file, url, folder, progress)
                return target
            except requests.RequestException as error:
                failures.append(f"{url} ({_reason(error)})")
    raise Unreachable(f"{file.name} cannot be downloaded from {'; nor from '.join(failures)}.")


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.HTTPError | _BrokenOff):
        return str(error)
    return "no answer in time" if isinstance(error, requests.Timeout) else "the server cannot be reached"


class _BrokenOff(requests.ConnectionError):
    """The server stopped sending before the end."""


def _retrieve(file: File, url: str, folder: Path, progress: Progress | None) -> None:
    pooch.get_logger().setLevel(logging.ERROR)  # the progress reporter tells it already
    try:
        pooch.retrieve(
            url, known_hash=file.checksum, fname=file.name, path=folder, downloader=_Resuming(file.name, progress)
        )
    except ValueError as error:  # pooch's word for a wrong sum; it has removed the file
        raise ChecksumMismatch(
            f"{url} gave another file than the card names: {error} Try again; if it stays so, the owner "
            f"has changed the file: compare with the data set's home page and correct the card's checksum."
        ) from error
    if file.checksum is None:
        write_text(folder / f"{file.name}.sum", file_sum(folder / file.name) + "\n")


@dataclass(frozen=True, slots=True)
class _Resuming:
    """A downloader for pooch that continues a broken transfer (HTTP Range with If-Range)."""

    name: str
    progress: Progress | None

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Fetch `url` into `output_file`; pooch checks its sum and renames it."""
        target = Path(output_file)
        part = target.parent / f"{self.name}.part"
        mark = target.parent / f"{self.name}.part.mark"  # the url and the server's validator of what is in part
        begun = part.stat().st_size if part.is_file() else 0
        known = mark.read_text(encoding="utf-8").splitlines() if mark.is_file() else []
        headers = {"Accept-Encoding": "identity"}
        if begun and len(known) == 2 and known[0] == url and known[1]:
            headers |= {"Range": f"bytes={begun}-", "If-Range": known[1]}
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as reply:
            if reply.status_code == requests.codes.requested_range_not_satisfiable and "Range" in headers:
                part.unlink()  # whole already, or more than the server has: begin again
                self(url, output_file, pooch)
                return
            reply.raise_for_status()
            begun = begun if reply.status_code == requests.codes.partial_content else 0
            length = reply.headers.get("Content-Length")
            total = begun + int(length) if length else 0
            validator = reply.headers.get("ETag") or reply.headers.get("Last-Modified") or ""
            write_text(mark, f"{url}\n{'' if validator.startswith('W/') else validator}\n")
            with part.open("ab" if begun else "wb") as sink:
                done = begun
                for block in reply.iter_content(_BLOCK):
                    sink.write(block)
                    done += len(block)
                    if self.progress:
                        self.progress(done, max(total, done), f"downloading {self.name}")
        if total and done != total:
            raise _BrokenOff(f"it broke off after {done:,} of {total:,} bytes; run again to continue")
        part.replace(target)
        with contextlib.suppress(FileNotFoundError):
            mark.unlink()
