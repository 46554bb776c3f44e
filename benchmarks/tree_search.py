"""How a tree's search and training grow: nodes and seconds a request against the catalog, samples a second by method.

    python benchmarks/tree_search.py --items 10000,100000,1000000 --json FILE [--beam 100] [--stride 2] [--threads 2]

For each size: a catalog whose items have clustered vectors, a tree over them by balanced 2-means, node vectors that are
the means of their items, and an untrained scorer (DNN + target attention) in bfloat16; 256 requests of 30 items of one
cluster each. The search costs what it costs whatever the weights, since all rounds are made. Then training: batches of
each objective over a log of 32 windows a batch, its samples (moments whose nodes are learnt) a second, and the share of
the time spent in matrix products (torch's profiler). Last JTM's learning of the tree, level by level and subtree by
subtree, after the training of a few batches on a random tree.

The record, of each size: height; nodes, the mean scored for a request of 10 answers; share, of the catalog; bound, the
first level + beam x (nodes below one of a scored level on the next) x (scored levels below the first); milliseconds a
request, 64 requests a call; index_seconds. Of each objective: samples_per_second, matrix_share. Of each order of
learning: seconds, the mean log-likelihood of the paths before and after, and whether both led to the same tree.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench import Catalog, Categorical, Context, Evaluation, Interactions, Ragged, Requests, TrainingData
from bench_neural.execution import seeded, use_threads
from bench_neural.moments import InnerObjective
from bench_neural.optimiser import Optimiser
from bench_neural.windows import Windows
from bench_tree.building import cluster_order
from bench_tree.descent import inner_levels
from bench_tree.jtm import JTM, OTM
from bench_tree.label_trees import HSM, PLT, LabelTree
from bench_tree.method import TreeMethod
from bench_tree.network import Nodes, biases, means
from bench_tree.objective import Aims
from bench_tree.search import Beam, beginning
from bench_tree.serving import Index
from bench_tree.tdm import TDM
from bench_tree.tree import Tree

METHODS: tuple[type[TreeMethod], ...] = (TDM, JTM, OTM, PLT, HSM)
CLUSTER, HISTORY, REQUESTS, AT_ONCE = 500, 30, 256, 64
USERS, LENGTH = 2_000, 60
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::addmm_")


def main() -> None:
    options = arguments()
    use_threads(options.threads)
    record: dict[str, Any] = {name: getattr(options, name) for name in ("beam", "stride", "threads")}
    record |= {"search": {}, "training": {}}
    for items in options.items:
        record["search"][str(items)] = searching(items, options)
        print(f"{items:,} items: {record['search'][str(items)]}", flush=True)
    for method in METHODS:
        record["training"][method.__name__.lower()] = training(method, options)
        print(f"{method.__name__}: {record['training'][method.__name__.lower()]}", flush=True)
    record["learning"] = learning(options)
    print(f"JTM's tree: {record['learning']}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    def sizes(text: str) -> list[int]:
        return [int(float(one)) for one in text.split(",")]

    parser.add_argument("--items", type=sizes, default=[10_000, 100_000, 1_000_000], help="catalog sizes")
    parser.add_argument("--beam", type=int, default=100, help="nodes kept of each level")
    parser.add_argument("--stride", type=int, default=2, help="levels from one that is scored to the next")
    parser.add_argument("--train-items", type=int, default=10_000, help="catalog that training is timed on")
    parser.add_argument("--batches", type=int, default=12, help="batches that are timed")
    parser.add_argument("--threads", type=int, default=2, help="threads of everything")
    parser.add_argument("--json", type=Path, help="where the record goes")
    return parser.parse_args()


def made(items: int, users: int, length: int) -> TrainingData:
    """Users who each stay in one category of 500 items."""
    rng = np.random.default_rng(0)
    categories = -(-items // CLUSTER)
    first = rng.integers(categories, size=(users, 1)) * CLUSTER
    met = np.minimum(first + rng.integers(CLUSTER, size=(users, length)), items - 1).astype(np.int32)
    by_user = Ragged(np.arange(users + 1, dtype=np.int64) * length, met.ravel())
    interactions = Interactions(by_user.rows().astype(np.int32), by_user.values, by_user)
    names = [str(one) for one in range(categories)]
    category = Categorical((np.arange(items) // CLUSTER).astype(np.int32), names)
    return TrainingData(
        interactions, Catalog(items, {"category": category}), Evaluation(asked(by_user[:8]), by_user[:8])
    )


def asked(history: Ragged) -> Requests:
    rows = len(history)
    return Requests(np.arange(rows), np.full(rows, -1, np.int32), history, Ragged.empty(rows))


def context(threads: int) -> Context:
    rng = np.random.default_rng(0)
    return Context(0, rng, "cpu", threads, Path(), lambda *_: None, logging.getLogger("tree"))


def planted(method: TreeMethod, data: TrainingData, counts: NDArray[np.int64], threads: int) -> tuple[Tree, Nodes]:
    """A tree over the untrained items, and its nodes."""
    with torch.no_grad():
        vectors = method.network_.items()[:, :-1]
        tree = Tree.of_order(cluster_order(vectors.numpy(), threads=threads))
        return tree, Nodes.planted(method.network_, tree, means(tree, vectors), biases(tree, counts), False)


def searching(items: int, options: argparse.Namespace) -> dict[str, float]:
    """What a search costs over a catalog of this size."""
    data = made(items, REQUESTS, HISTORY)
    counts = np.bincount(data.interactions.items, minlength=items)
    method = TDM()
    with seeded(0):
        method.network_ = method.fresh_network(data, np.ones(items, np.int64), context(options.threads)).eval()
        tree, nodes = planted(method, data, counts, options.threads)
    begun = time.perf_counter()
    with torch.inference_mode():
        index = Index.of(method.network_, nodes, tree, data.catalog.candidates(), True)
        built = time.perf_counter() - begun
        requests, start = asked(data.interactions.by_user), method.start(index.levels.begins)
        beam = Beam(options.beam, start=start, stride=options.stride)

        def answer(part: Requests) -> NDArray[np.int32]:
            found = index.answer(method.network_, None, part, 10, beam, options.threads)
            assert found.work is not None
            return found.work

        answer(requests[:AT_ONCE])
        begun = time.perf_counter()
        work = np.concatenate([answer(requests[at : at + AT_ONCE]) for at in range(0, REQUESTS, AT_ONCE)])
        spent = time.perf_counter() - begun
    levels = inner_levels(tree, start, options.stride)
    first = beginning(tree, levels, np.full((len(levels), 1), options.beam))
    path = [*levels.tolist(), tree.height][first:]
    return {
        "height": tree.height,
        "nodes": float(work.mean()),
        "share": float(work.mean()) / items,
        "bound": options.beam * tree.branching**options.stride * (len(path) - 1) + int(tree.sizes[path[0]]),
        "milliseconds": 1e3 * spent / REQUESTS,
        "index_seconds": built,
    }


def learning(options: argparse.Namespace) -> dict[str, Any]:
    """What learning a tree anew costs in each order, after some training on a random one."""
    data, found = made(options.train_items, USERS, LENGTH), {}
    method = JTM(tree="random", rounds=1, epochs=1, samples=20_000)
    method.train(data, context(options.threads))
    method.network_.eval()
    with torch.inference_mode():
        for order in ("levels", "subtrees"):
            begun = time.perf_counter()
            learnt = dataclasses.replace(method, order=order)
            learnt.network_, learnt.nodes_, learnt.tree_ = method.network_, method.nodes_, method.tree_
            outcome = learnt.learner(data, context(options.threads)).learn()
            spent = time.perf_counter() - begun
            found[order] = {"seconds": spent, "before": outcome.before, "after": outcome.after}
            found.setdefault("same", outcome.order)
    found["same"] = bool((found["same"] == outcome.order).all())
    return found


def training(kind: type[TreeMethod], options: argparse.Namespace) -> dict[str, float]:
    """How fast one method's last round learns, and how much of that is matrix products."""
    data = made(options.train_items, USERS, LENGTH)
    counts = np.bincount(data.interactions.items, minlength=options.train_items)
    method = kind(batch=32, **({} if issubclass(kind, LabelTree) else {"stride": options.stride}))
    with seeded(0) as generator:
        method.network_ = method.fresh_network(data, counts, context(options.threads))
        method.tree_, method.nodes_ = planted(method, data, counts, options.threads)
        inner = InnerObjective(
            method.network_, counts, method.sampler(counts, generator, "cpu"), method.negatives, later=0.5
        )
        start = method.start(method.tree_.begins)
        aims = Aims(method.moments, method.joint, method.loss, 0.5, start, method.level_negatives)
        objective = method.objective(inner, generator, aims, last=True)
        model = torch.nn.ModuleDict({"network": method.network_, "nodes": method.nodes_})
        optimiser = Optimiser(model, 1e-3, 1e-3, 0.0, 1.0)
        windows = Windows(data.interactions, method.length, 0.5, method.batch, generator)
        batches = [windows.draw(users) for users in windows.order()[: options.batches + 2]]
        for batch in batches[:2]:
            optimiser.step(objective(batch), 1.0)
        activities = [torch.profiler.ProfilerActivity.CPU]
        begun = time.perf_counter()
        for batch in batches[2:]:
            optimiser.step(objective(batch), 1.0)
        spent = time.perf_counter() - begun
        with torch.profiler.profile(activities=activities) as profile:
            for batch in batches[:3]:
                optimiser.step(objective(batch), 1.0)
    events = profile.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    products = sum(event.self_cpu_time_total for event in events if event.key in PRODUCTS)
    samples = len(batches[2:]) * method.batch * method.moments
    return {"samples_per_second": samples / spent, "matrix_share": products / total}


if __name__ == "__main__":
    main()
