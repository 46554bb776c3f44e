"""Threads, seeds and devices of one call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from bench import Context, Unavailable


def use_threads(threads: int) -> None:
    """Let torch compute with `threads` threads.

    Set even where torch already says so: its matrix library keeps a count of its own, which MKL_NUM_THREADS fixed.
    """
    torch.set_num_threads(threads)


def device_of(context: Context) -> str:
    """The device asked for; raises Unavailable where it is missing."""
    if context.device.startswith("cuda") and not torch.cuda.is_available():
        raise Unavailable(
            f"device {context.device!r} is not available here: use --device cpu, or install torch for CUDA"
        )
    return context.device


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[torch.Generator]:
    """Fix torch's global randomness (weights, dropout) for a block, and lend a generator of one's own beside it."""
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed + 1)
