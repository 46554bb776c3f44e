"""Checksums of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.errors import ChecksumMismatch, DataError


def file_sum(path: Path, kind: str = "sha256") -> str:
    """ "md5:..." or "sha256:..." of a file's bytes."""
    with path.open("rb") as handle:
        return f"{kind}:{hashlib.file_digest(handle, kind).hexdigest()}"


def check_sum(path: Path, expected: str, mend: str) -> None:
    """Raise ChecksumMismatch unless the file has the sum `expected` ("md5:...")."""
    found = file_sum(path, expected.partition(":")[0])
    if found != expected:
        raise ChecksumMismatch(
            f"{path} is not the file that its card names: {found} instead of {expected} "
            f"({path.stat().st_size:,} bytes; truncated or another version). {mend}"
        )


def check_not_empty(path: Path, called: str = "") -> None:
    """Raise DataError for a file of 0 bytes."""
    if path.stat().st_size == 0:
        raise DataError(f"{called or path} has 0 bytes. Delete it and copy or download it again.")
