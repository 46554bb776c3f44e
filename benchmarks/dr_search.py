"""What a search over Deep Retrieval's paths costs, against scoring every item, from small catalogs to large ones.

    python benchmarks/dr_search.py --items 10000,100000,1000000 --json FILE [--beam 50] [--ratio 10] [--k 100]

For each size: a catalog whose items have clustered vectors, paths by residual k-means (100 nodes on each of 3 layers, 3
paths an item), an untrained path model, and 256 requests of 30 items of one cluster each. The search costs what it
costs whatever the weights: the same softmaxes, the same number of candidates. Brute force is the inner product of the
same reranker over all items, in numbers of the same kind.

The record, of each size: softmaxes, of a layer, and reranked, the candidates, of a request in the mean; qps of 64
requests a call and of one (on one thread), and of brute force; speedup at 64; paths in use and largest, items on the
path of the most; placed_seconds, k-means and the paths of all items; index_seconds.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench import Catalog, Categorical, Context, Evaluation, Interactions, Ragged, Requests, TrainingData
from bench_dr.dr import DR
from bench_dr.serving import Way
from bench_index.exact import exact_search
from bench_neural.execution import seeded, use_threads
from bench_neural.pairs import PairScorer

CLUSTER, HISTORY, REQUESTS, AT_ONCE, SINGLES = 500, 30, 256, 64, 64


def main() -> None:
    options = arguments()
    record: dict[str, Any] = {name: getattr(options, name) for name in ("beam", "ratio", "k", "threads")}
    record["search"] = {}
    for items in options.items:
        record["search"][str(items)] = searching(items, options)
        print(f"{items:,} items: {record['search'][str(items)]}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    def sizes(text: str) -> list[int]:
        return [int(float(one)) for one in text.split(",")]

    parser.add_argument("--items", type=sizes, default=[10_000, 100_000, 1_000_000], help="catalog sizes")
    parser.add_argument("--beam", type=int, default=50, help="beginnings of paths kept in each layer")
    parser.add_argument("--ratio", type=int, default=10, help="candidates for each item asked for")
    parser.add_argument("--k", type=int, default=100, help="items asked for")
    parser.add_argument("--threads", type=int, default=2, help="of a call of 64 requests")
    parser.add_argument("--json", type=Path, help="where the record goes")
    return parser.parse_args()


def made(items: int) -> TrainingData:
    """Users who each stay in one category of 500 items."""
    rng = np.random.default_rng(0)
    categories = -(-items // CLUSTER)
    met = rng.integers(categories, size=(REQUESTS, 1)) * CLUSTER + rng.integers(CLUSTER, size=(REQUESTS, HISTORY))
    by_user = Ragged.from_rows(list(np.minimum(met, items - 1).astype(np.int32)))
    category = Categorical((np.arange(items) // CLUSTER).astype(np.int32), [str(one) for one in range(categories)])
    requests = Requests(np.arange(REQUESTS), np.full(REQUESTS, -1, np.int32), by_user, Ragged.empty(REQUESTS))
    interactions = Interactions(by_user.rows().astype(np.int32), by_user.values, by_user)
    return TrainingData(interactions, Catalog(items, {"category": category}), Evaluation(requests, by_user[:REQUESTS]))


def seconds(call: Callable[[int, int], object], step: int, count: int) -> float:
    """The seconds of `count` requests, `step` a call, after one call before."""
    call(0, step)
    begun = time.perf_counter()
    for at in range(0, count, step):
        call(at, at + step)
    return time.perf_counter() - begun


def searching(items: int, options: argparse.Namespace) -> dict[str, float]:
    """One catalog size."""
    data, method = made(items), DR()
    context = Context(
        0, np.random.default_rng(0), "cpu", options.threads, Path(), lambda *_: None, logging.getLogger("dr")
    )
    use_threads(options.threads)
    requests = data.validation.requests
    with seeded(0), torch.inference_mode():
        method.started(data, context)
        method.network_.eval()
        method.path_layers_.eval()
        method.popularity_ = np.ones(items, np.int64)
        begun = time.perf_counter()
        method.paths_ = method.first(data, context)
        placed = time.perf_counter() - begun
        even = np.ones(method.paths_.numbers.shape, np.float32)
        begun = time.perf_counter()
        index = method.serving(data.catalog, method.paths_, even, True, True)
        trie = index.trie
        indexed = time.perf_counter() - begun
        every = np.arange(items, dtype=np.int32)
        work = []

        def search(begin: int, end: int) -> None:
            way = Way(options.beam, options.ratio, True)
            found = index.answer(
                method.network_, method.path_layers_, requests[begin:end], options.k, way, torch.get_num_threads()
            )
            work.append(found.work)

        def exact(begin: int, end: int) -> None:
            threads = torch.get_num_threads()
            asked = method.network_.requests(requests[begin:end], index.vectors)
            exact_search(
                every,
                PairScorer(method.network_.scorer, asked, index.table),
                options.k,
                Ragged.empty(end - begin),
                threads,
            )

        many = REQUESTS / seconds(search, AT_ONCE, REQUESTS)
        brute = AT_ONCE / seconds(exact, AT_ONCE, AT_ONCE)
        use_threads(1)
        single = SINGLES / seconds(search, 1, SINGLES)
    softmaxes = 1 + sum(min(options.beam, len(np.unique(trie.numbers // method.nodes**at))) for at in (2, 1))
    spent = float(np.concatenate(work).mean())
    return {
        "softmaxes": softmaxes,
        "reranked": spent - softmaxes,
        "qps": {"1": single, "64": many, "brute_force": brute},
        "speedup": many / brute,
        "paths": len(trie),
        "largest": int(index.paths.sizes.max()),
        "placed_seconds": placed,
        "index_seconds": indexed,
    }  # type: ignore[dict-item]


if __name__ == "__main__":
    main()
