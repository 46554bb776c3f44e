"""The list of items that may be answered, as stock or region limits them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError

SHOWN = 3


def read_eligible(path: Path, item_ids: Sequence[str]) -> NDArray[np.int64]:
    """The items that a file of raw ids, one a line, names: sorted distinct int64 rows of `item_ids`.

    Empty lines are skipped. Raises DataError naming file and line where the file or an id cannot be used.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(
            f"--eligible {path}: {error.strerror or error}. Give a file of item ids, one a line."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"--eligible {path} is no UTF-8 text: {error}. Save it as UTF-8, one item id a line."
        ) from error
    asked = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not asked:
        raise DataError(f"--eligible {path} names no item. Write one item id a line.")
    rows = {raw: row for row, raw in enumerate(item_ids)}
    unknown = [(number, raw) for number, raw in asked if raw not in rows]
    if unknown:
        some = ", ".join(f"{raw!r} (line {number})" for number, raw in unknown[:SHOWN])
        raise DataError(
            f"--eligible {path}: {len(unknown)} of {len(asked)} ids are no item of the data set: {some}"
            f"{', ...' if len(unknown) > SHOWN else ''}. Remove them, or write the ids as the data set does, "
            f"such as {item_ids[0]!r}."
        )
    return np.unique(np.array([rows[raw] for _, raw in asked], np.int64))
