"""What building a retrieval tree costs and how good it is: time, memory, balance and variance within nodes.

    python benchmarks/tree_build.py --items 1000000 --json FILE [--dim 64] [--threads 2]

Makes clustered vectors (4,096 clusters in six levels of four, unequal in size, with noise), and for each builder in a
process of its own builds the tree: at random, by category (the 64 coarsest clusters), by balanced 2-means, by spectral
halving where there are at most 20,000 items, and, for comparison, by the locality order of the graph indexes. Then
JTM's assignment step: all items to 16 descendants of the root, and the same below 1,024 nodes, by log-likelihoods of
skewed numbers of samples and by normal gains of which most want the same descendants. Compilation is left out:
everything runs once on a few items before.

The record, of each builder: seconds, cpu_seconds (of all threads), peak_rss_bytes of the process up to there and
before_rss_bytes of its vectors and libraries; each_item_once; balance, the smallest and largest number of items of a
node of each level and the largest ratio of the two; variance_within, the mean squared distance to the mean of the node
over that to the mean of all, at some levels. Of an assignment: the mean gain, and how many descendants have too many.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import Catalog, Categorical
from bench_index.locality import cuts, locality_order
from bench_tree.assignment import assigned
from bench_tree.building import SPECTRAL_ITEMS, category_order, cluster_order, random_order, spectral_order
from bench_tree.tree import Tree

BUILDERS = ("random", "category", "locality", "clusters", "spectral")
CLUSTERS, FEW = 4096, 2000
DESCENDANTS, NODES = 16, 1024


def main() -> None:
    options = arguments()
    if options.one:
        print(json.dumps(assignment(options) if options.one == "assignment" else building(options)))
        return
    record: dict[str, Any] = {"items": options.items, "dimensions": options.dim, "threads": options.threads}
    wanted = [name for name in BUILDERS if name != "spectral" or options.items <= SPECTRAL_ITEMS]
    for name in [*wanted, "assignment"]:
        settings = [f"--{key}={getattr(options, key)}" for key in ("items", "dim", "threads")]
        done = subprocess.run([sys.executable, __file__, *settings, "--one", name], stdout=subprocess.PIPE, check=True)
        record[name] = json.loads(done.stdout)
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in record.items()]  # a builder a line
    text = "{\n" + ",\n".join(lines) + "\n}"
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000, help="items in the catalog")
    parser.add_argument("--dim", type=int, default=64, help="dimensions of their vectors")
    parser.add_argument("--threads", type=int, default=2, help="threads of each builder")
    parser.add_argument("--json", type=Path, help="where the record goes")
    parser.add_argument("--one", choices=(*BUILDERS, "assignment"), help="only this, in this process, without a file")
    return parser.parse_args()


def made(items: int, dim: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Vectors float32 [items, dim] and the coarse cluster int32 [items] of each."""
    rng = np.random.default_rng(0)
    centres, apart = np.zeros((1, dim), np.float32), 1.0
    while len(centres) < CLUSTERS:
        centres = np.repeat(centres, 4, axis=0)
        centres += apart * rng.standard_normal(centres.shape, np.float32)
        apart *= 0.8
    shares = rng.gamma(0.7, size=CLUSTERS)
    clusters = rng.choice(CLUSTERS, items, p=shares / shares.sum())
    vectors = rng.standard_normal((items, dim), np.float32)
    vectors *= np.float32(apart)
    for begin in range(0, items, 1 << 14):  # in blocks: the peak of memory is to be the builder's
        vectors[begin : begin + (1 << 14)] += centres[clusters[begin : begin + (1 << 14)]]
    return vectors, (clusters // (CLUSTERS // 64)).astype(np.int32)


def order_by(name: str, vectors: NDArray[np.float32], categories: NDArray[np.int32], threads: int) -> NDArray[Any]:
    """The order of the items by the builder of that name."""
    items, rng = np.arange(len(vectors), dtype=np.int32), np.random.default_rng(0)
    match name:
        case "random":
            return random_order(items, rng)
        case "category":
            names = [str(one) for one in range(64)]
            return category_order(Catalog(len(items), {"category": Categorical(categories, names)}), items, rng)
        case "locality":
            return locality_order(vectors, threads)
        case "clusters":
            return cluster_order(vectors, threads=threads)
        case _:
            return spectral_order(vectors, threads=threads)


def building(options: argparse.Namespace) -> dict[str, Any]:
    """What one builder costs and how good its tree is."""
    vectors, categories = made(options.items, options.dim)
    order_by(options.one, vectors[:FEW], categories[:FEW], options.threads)
    record: dict[str, Any] = {"before_rss_bytes": peak()}
    begun, worked = time.perf_counter(), time.process_time()
    tree = Tree.of_order(order_by(options.one, vectors, categories, options.threads))
    record |= {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - worked}
    record["peak_rss_bytes"] = peak()
    record["each_item_once"] = bool((np.sort(tree.items) == np.arange(options.items)).all())
    by_level = [tree.counts[tree.begins[level] : tree.begins[level + 1]] for level in range(tree.height + 1)]
    record["balance"] = {
        "largest_over_smallest": max(float(counts.max() / counts.min()) for counts in by_level),
        "smallest": [int(counts.min()) for counts in by_level],
        "largest": [int(counts.max()) for counts in by_level],
    }
    levels = sorted({2, 4, 6, 8, 10, 12, tree.height - 2} & set(range(1, tree.height)))
    record["variance_within"] = {level: within(vectors[tree.items], level) for level in levels}
    return record


def within(vectors: NDArray[np.float32], level: int) -> float:
    """The variance within the cells of a level over that of all, of vectors in the order of the leaves."""
    bounds = cuts(len(vectors), level)
    squares = np.einsum("nd,nd->", vectors, vectors, dtype=np.float64)
    sums = np.add.reduceat(vectors, bounds[:-1], axis=0, dtype=np.float64)
    between = (np.einsum("cd,cd->c", sums, sums) / np.diff(bounds)).sum()
    return float((squares - between) / (squares - np.square(sums.sum(0)).sum() / len(vectors)))


def assignment(options: argparse.Namespace) -> dict[str, Any]:
    """What JTM's assignment of all items costs, from one node and from many, and how much of a free choice it keeps."""
    record: dict[str, Any] = {}
    for kind in ("likelihoods", "contested"):
        gain = gains(kind, options.items)
        assigned(gain[:FEW], np.array([0, FEW]), np.full((1, DESCENDANTS), FEW // DESCENDANTS), threads=options.threads)
        for nodes in (1, NODES):
            offsets = np.arange(nodes + 1) * options.items // nodes
            room = np.diff(np.arange(nodes * DESCENDANTS + 1) * options.items // (nodes * DESCENDANTS))
            room = room.reshape(nodes, DESCENDANTS)
            begun, worked = time.perf_counter(), time.process_time()
            chosen = assigned(gain, offsets, room, threads=options.threads)
            took = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - worked}
            took["items_per_second"] = options.items / took["seconds"]
            node = np.repeat(np.arange(nodes), np.diff(offsets))
            held = np.bincount(node * DESCENDANTS + chosen, minlength=room.size)
            took["over_capacity"] = int((held > room.ravel()).sum())
            took["gain"] = float(np.take_along_axis(gain, chosen[:, None], 1).mean(dtype=np.float64))
            record[f"{kind}, nodes {nodes}"] = took
        record[f"{kind}, free and random gain"] = [float(gain.max(1).mean(dtype=np.float64)), float(gain.mean())]
    record["peak_rss_bytes"] = peak()
    return record


def gains(kind: str, items: int) -> NDArray[np.float32]:
    """float32 [items, DESCENDANTS]."""
    rng = np.random.default_rng(1)
    if kind == "contested":
        wanted = 2 * rng.standard_normal(DESCENDANTS, np.float32)
        return rng.standard_normal((items, DESCENDANTS), np.float32) + wanted
    samples = (rng.zipf(1.6, items).clip(1, 500) - 1).astype(np.float32)  # 44% of the items have none
    logits = rng.standard_normal((items, 8), np.float32) @ rng.standard_normal((8, DESCENDANTS), np.float32)
    return np.asarray(-samples[:, None] * np.logaddexp(np.float32(0), -logits))


def peak() -> int:
    """The most memory this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
