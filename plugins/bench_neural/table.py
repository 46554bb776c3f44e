"""The scorer's item side as one table: made in blocks, kept in full precision or in bfloat16."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench_neural.scorers import Scorer

ROWS_AT_ONCE = 1 << 15


def prepared(scorer: Scorer, count: int, vectors: Iterable[Tensor], bfloat16: bool) -> Tensor:
    """The scorer's item side (count, width) of vectors that come in blocks of (n, d + 1); called without gradients."""
    numbers = np.empty((count, scorer.width), np.int16 if bfloat16 else np.float32)  # numpy's have large pages
    table, begin = torch.from_numpy(numbers), 0
    for block in vectors:
        if not begin:
            table = table.to(block.device)
            table = table.view(torch.bfloat16) if bfloat16 else table
        table[begin : begin + len(block)] = scorer.items(block)
        begin += len(block)
    return table.view(torch.bfloat16) if bfloat16 and not begin else table


def save_table(file: Path, table: Tensor) -> None:
    """Write a table as .npy; bfloat16 as the upper halves of its numbers."""
    table = table.cpu()
    halves = table.view(torch.int16) if table.dtype == torch.bfloat16 else table
    np.save(file, halves.numpy(), allow_pickle=False)


def load_table(file: Path, device: str) -> Tensor:
    """Read what `save_table` wrote, whole: every search gathers from all of it, and memory of one's own can have large
    pages."""
    table = torch.from_numpy(np.load(file, allow_pickle=False))
    return (table.view(torch.bfloat16) if table.dtype == torch.int16 else table).to(device)
