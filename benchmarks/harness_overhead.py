"""What the harness adds to an index: hnswlib through the hooks beside hnswlib in a loop of its own, and the null floor.

    python benchmarks/harness_overhead.py [--vectors mnist-784-euclidean.npz] [--rounds 5] [--json FILE]

Both sides search the same index with the same vectors, one request a call on one thread (in turn, call by call), then
all in one call on all cores (A B B A ...). Prints a record: medians over the rounds, ratios pair by pair, and the
floor of `null`.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from time import perf_counter, perf_counter_ns
from typing import Any

import hnswlib
import numpy as np

from bench import Answer, Context, Ragged, Requests, hookimpl
from bench.measure import latency, threads
from bench.run.hooks import connect
from bench_baselines.null import Null

K, EF = 10, 64


@dataclass
class HNSW:
    """An hnswlib index behind the hooks."""

    engine: Any = field(init=False, default=None)

    @hookimpl
    def train(self) -> None:
        """Nothing to learn."""

    @hookimpl
    def index(self) -> None:
        """Built outside."""

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        """The neighbours of each request's vector."""
        ids, _ = self.engine.knn_query(requests.vectors, k, num_threads=context.threads)
        return Answer(ids.astype(np.int32))


def vectors(path: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Base [N, D] and query vectors [B, D] float32."""
    if path is not None:
        stored = np.load(path)
        return stored["train"].astype(np.float32), stored["test"][:2000].astype(np.float32)
    rng = np.random.default_rng(0)
    return rng.standard_normal((50_000, 64), np.float32), rng.standard_normal((2000, 64), np.float32)


def in_turn(engine: Any, hook: Any, null: Any, requests: Requests, context: Context) -> dict[str, np.ndarray]:
    """Nanoseconds of each single call, in turn: the library alone; its answer made ready (int32, an Answer) without the
    harness; the same request through the hook; and `null` right after a search, with the caches as it left them.
    """
    queries = requests.vectors
    assert queries is not None
    singles = [requests[row : row + 1] for row in range(len(queries))]
    sides = ("library", "own", "harness")
    spent = {side: np.zeros(len(singles), np.int64) for side in (*sides, "null")}
    for row, request in enumerate(singles):
        query = queries[row : row + 1]
        for turn in range(3):
            side = sides[(row + turn) % 3]
            begin = perf_counter_ns()
            if side == "library":
                engine.knn_query(query, K, num_threads=1)
            elif side == "own":
                Answer(engine.knn_query(query, K, num_threads=1)[0].astype(np.int32))
            else:
                hook.query(requests=request, k=K, context=context)
            now = perf_counter_ns()
            spent[side][row] = now - begin
        null.query(requests=request, k=K, context=context)
        spent["null"][row] = perf_counter_ns() - now
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, help="an npz with the arrays train and test; random ones otherwise")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    base, queries = vectors(options.vectors)
    engine = hnswlib.Index("l2", base.shape[1])
    engine.init_index(len(base), M=16, ef_construction=100, random_seed=0)
    engine.add_items(base)
    engine.set_ef(EF)
    cores = threads.available()
    requests = Requests(
        keys=np.arange(len(queries)),
        users=np.full(len(queries), -1, np.int32),
        history=Ragged.empty(len(queries)),
        exclude=Ragged.empty(len(queries)),
        vectors=queries,
    )

    def context(count: int) -> Context:
        return Context(
            0, np.random.default_rng(0), "cpu", count, Path(gettempdir()), lambda *_: None, logging.getLogger("bench")
        )

    hook, null = connect(HNSW()), connect(Null())
    hook.query.get_hookimpls()[0].plugin.engine = engine
    null.index(catalog=None, context=context(1))
    single: dict[str, list[float]] = {"library": [], "own": [], "harness": [], "null": []}
    floor: dict[str, list[float]] = {"p50": [], "p99": []}
    batch: dict[str, list[float]] = {"own": [], "harness": []}
    for turn in range(options.rounds):
        sides = ["own", "harness"] if turn % 2 == 0 else ["harness", "own"]
        with threads.limited(1):
            alone = latency.closed_loop(null.query, null.query, requests, K, context(1)).nanoseconds
            for name, values in floor.items():
                values.append(1000 * latency.summary(alone)[name])
            for side, spent in in_turn(engine, hook, null, requests, context(1)).items():
                single[side].append(float(np.median(spent)) / 1000)
        for side in sides:
            if side == "own":
                spent_batch = []
                for _ in range(3):
                    begin = perf_counter()
                    engine.knn_query(queries, K, num_threads=cores)
                    spent_batch.append(perf_counter() - begin)
            else:
                spent_batch = list(latency.batch(hook.query, requests, K, context(cores), seconds=0.0))
            batch[side].append(float(np.median(spent_batch)))
    above = [one - other for one, other in zip(single["harness"], single["own"], strict=True)]
    ratios = [one / other for one, other in zip(batch["harness"], batch["own"], strict=True)]
    record = {
        "items": len(base),
        "dimensions": int(base.shape[1]),
        "null_alone_us": {name: float(np.median(values)) for name, values in floor.items()},
        "single_us": {side: float(np.median(values)) for side, values in single.items()},
        "single_above_own_us": {"median": float(np.median(above)), "all": above},
        "batch_seconds": {side: float(np.median(values)) for side, values in batch.items()},
        "batch_harness_over_own": {"median": float(np.median(ratios)), "all": ratios},
    }
    text = json.dumps(record, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
