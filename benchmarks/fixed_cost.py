"""A query of a fixed cost, as `independent_timer.py` lets two tools time it; run as a script it is timed by pyperf."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np

from bench import Answer, Context, Ragged, Requests, hookimpl
from bench.run.hooks import connect

REQUESTS, ITEMS, WIDTH, K = 256, 20_000, 64, 10


@dataclass
class Product:
    """Scores all items of every request, and answers the same ones: one matrix product, whatever the request."""

    items: np.ndarray = field(
        default_factory=lambda: np.random.default_rng(0).standard_normal((WIDTH, ITEMS), np.float32)
    )

    @hookimpl
    def train(self) -> None:
        """Nothing to learn."""

    @hookimpl
    def index(self) -> None:
        """Nothing to build."""

    @hookimpl
    def query(self, requests: Requests, k: int) -> Answer:
        """The product, and an answer that owes nothing to it."""
        (requests.vectors @ self.items).max()
        return Answer(np.zeros((len(requests), k), np.int32))


def loop() -> tuple[Callable[..., Any], Requests, Context]:
    """The hook, what it is asked, and what it is lent."""
    empty = Ragged.empty(REQUESTS)
    vectors = np.random.default_rng(1).standard_normal((REQUESTS, WIDTH), np.float32)
    keys, users = np.arange(REQUESTS), np.full(REQUESTS, -1, np.int32)
    requests = Requests(keys=keys, users=users, history=empty, exclude=empty, vectors=vectors)
    context = Context(
        seed=0,
        rng=np.random.default_rng(0),
        device="cpu",
        threads=1,
        scratch=Path(gettempdir()),
        progress=lambda done, total, note="": None,
        log=logging.getLogger("fixed_cost"),
    )
    return connect(Product()).query, requests, context


def main() -> None:
    import pyperf

    query, requests, context = loop()
    singles = [requests[row : row + 1] for row in range(len(requests))]
    at = iter(range(1 << 40))

    def single() -> None:
        query(requests=singles[next(at) % REQUESTS], k=K, context=context)

    def batch() -> None:
        query(requests=requests, k=K, context=context)

    runner = pyperf.Runner(add_cmdline_args=lambda command, options: command.extend(["--kind", options.kind]))
    runner.argparser.add_argument("--kind", choices=["single", "batch"], required=True)
    kind = runner.parse_args().kind
    runner.bench_func(kind, single if kind == "single" else batch)


if __name__ == "__main__":
    main()
