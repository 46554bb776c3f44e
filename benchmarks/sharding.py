"""What splitting an index over processes costs and gives: `sharded:ann` with 1, 2 and 4 shards beside one index.

    python benchmarks/sharding.py --json FILE [--items 100000] [--dim 64] [--backends flat,hnsw] [--shards 1,2,4]

Clustered vectors are searched by inner product for 50 of others of the same kind; the exact neighbours are known. Each
index is built, saved and loaded, one in this process, shards each in a process of its own, and answers single requests
in a closed loop on one thread each, all kinds in turn, A B C .. C B A, whose loops are pooled. On a machine with fewer
cores than shards these wait for one another, and latency says so: `cores` is in the record, and `competing_cores`, what
other work took of them meanwhile.

The record, of each kind: index_seconds; recall@50; work, vectors compared a request where the library tells; p50_ms and
p99_ms of a request; slowest_p50_ms, of the slowest shard of each request in its own process; shard_bytes, of the
largest shard's files; shard_peak_bytes, the most resident memory of a shard's process, and none_peak_bytes, that of
such a process with no index.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from bench import Answer, Catalog, Context, Ragged, Requests, connect
from bench.measure.competing import Competing
from bench.measure.latency import closed_loop, spread
from bench.measure.threads import available, limited
from bench.run.parts import Beginning, OwnProcess
from bench.run.timed import Floor
from bench_shard.sharded import sharded
from bench_vector.ann import Ann
from bench_vector.backends import compared

K, ASKED, CENTRES, CALLS = 50, 1000, 2000, 1000


@dataclass
class Kind:
    """One index (shards 0) or so many shards, ready to be asked."""

    shards: int
    hooks: Any
    said: dict[str, Any]
    nanoseconds: list[int] = field(default_factory=list)
    slowest: list[float] = field(default_factory=list)


def main() -> None:
    options = arguments()
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CENTRES, options.dim), np.float32)
    items, users = (
        centres[rng.integers(CENTRES, size=count)] + 0.5 * rng.standard_normal((count, options.dim), np.float32)
        for count in (options.items, ASKED)
    )
    exact = compared(users, items, K, "inner")
    catalog = Catalog(options.items, vectors=items, distance="inner product")
    none = Ragged.empty(ASKED)
    requests = Requests(np.arange(ASKED), np.full(ASKED, -1, np.int32), none, none, vectors=users)
    record: dict[str, Any] = {"items": options.items, "dim": options.dim, "k": K, "cores": available(), "backends": {}}
    for backend in options.backends.split(","):
        with TemporaryDirectory() as folder:
            context = Context(0, rng, "cpu", 1, Path(folder), lambda *_: None, logging.getLogger("sharding"))
            kinds = [
                kind(shards, backend, catalog, Path(folder), context)
                for shards in (0, *map(int, options.shards.split(",")))
            ]
            for one in kinds:
                asked(one, requests, exact, context)
            with Competing() as competing:
                for one in (*kinds, *kinds[::-1]):
                    timed(one, requests, context)
            empty = OwnProcess("none", Beginning("ann", {"backend": backend}, {}, 0, 1), context)
            empty.reply()
            found: dict[str, Any] = {"none_peak_bytes": empty.peak_rss_bytes, "competing_cores": competing.cores}
            empty.close()
        for one in kinds:
            one.said |= {f"{name}_ms": spread(np.array(one.nanoseconds) / 1e6)[name] for name in ("p50", "p99")}
            one.said["slowest_p50_ms"] = statistics.median(one.slowest) if one.slowest else None
            found[f"{one.shards} shards" if one.shards else "one index"] = one.said
            print(backend, one.shards, {name: shown(value) for name, value in one.said.items()}, flush=True)
        print(backend, {name: found[name] for name in ("none_peak_bytes", "competing_cores")}, flush=True)
        record["backends"][backend] = found
        Path(options.json).write_text(json.dumps(record, indent=1), encoding="utf-8")


def kind(shards: int, backend: str, catalog: Catalog, folder: Path, context: Context) -> Kind:
    """Built, saved and loaded."""
    home = folder / f"{backend}-{shards}"
    home.mkdir()

    def fresh() -> Any:
        return connect(sharded("ann", Ann)(shards=shards, backend=backend) if shards else Ann(backend=backend))

    built = fresh()
    begin = perf_counter()
    built.index(catalog=catalog, context=replace(context, rng=np.random.default_rng(0)))
    said: dict[str, Any] = {"index_seconds": perf_counter() - begin}
    built.save(folder=home, phase="index")
    parts = [home / f"shard-{at}" for at in range(shards)] or [home]
    said["shard_bytes"] = max(sum(path.stat().st_size for path in part.iterdir()) for part in parts)
    hooks = fresh()
    hooks.load(folder=home, phase="index", context=context)
    return Kind(shards, hooks, said)


def asked(one: Kind, requests: Requests, exact: Any, context: Context) -> None:
    """What it finds in all requests, and what its processes needed for them."""
    peaks: list[float] = []

    def tell(name: str, **values: float) -> None:
        peaks.extend([1e6 * values["peak MB"]] if "peak MB" in values else [])

    answer: Answer = one.hooks.query(requests=requests, k=K, context=replace(context, milestone=tell))
    hits = [np.isin(row, true).mean() for row, true in zip(answer.ids, exact, strict=True)]
    one.said |= {"recall": float(np.mean(hits)), "shard_peak_bytes": max(peaks, default=None)}
    one.said["work"] = None if answer.work is None else float(answer.work.mean())


def timed(one: Kind, requests: Requests, context: Context) -> None:
    """A closed loop; what it took is added to what is there."""
    told: list[float] = []

    def tell(name: str, **values: float) -> None:
        told.append(values["ms"])

    empty = connect(Floor()).query
    with limited(1):
        lent = replace(context, milestone=tell)
        calls = closed_loop(one.hooks.query, empty, requests, K, lent, least=CALLS, seconds=5.0)
    one.nanoseconds += calls.nanoseconds.tolist()
    one.slowest += told[-len(calls.rows) :] if told else []


def shown(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else value


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", required=True)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--backends", default="flat,hnsw")
    parser.add_argument("--shards", default="1,2,4")
    return parser.parse_args()


if __name__ == "__main__":
    main()
