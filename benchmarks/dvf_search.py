"""What DVF's graph search costs and finds on a large synthetic catalog, against scoring everything.

    python benchmarks/dvf_search.py --items 1000000 --json FILE

Makes the synthetic task (users with several interests), trains the scorer with target attention and the inner product
with the same encoder, data and seconds, builds the graph, and writes one record. Trained weights and the graph are kept
in --cache: a second call with the same settings and source measures only. All figures are of one process.

The record: coverage@200 is the share of the exact best 200 that the search finds; index_loss@200 and oracle recall
are of the same requests; search_over_scoring is the time of a search over that of scoring the very same candidates,
their rows already gathered, with 64 requests a call on all threads, with one on one thread (as latency is measured) and
with one on all; scoring_gflops counts its matrix products alone; speedup_over_brute_force is queries a second
against scoring all items with the same scorer, precomputation, numbers and threads in the best of several tile sizes;
precompute_speedup is against a plain module that computes every layer for every pair, request by request. The user
network, some tenth of a millisecond a request, has run before all clocks.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Answer, Context, Requests, params, recall
from bench.analysis.intervals import mean_intervals
from bench.cache import build
from bench.data.conventions import Conventions
from bench.data.dataset import load_dataset
from bench.data.freezing import prepare_task
from bench.data.protocols import parse
from bench.data.task import Task
from bench.measure.machine import git_state
from bench.run.source import source_digest
from bench_dvf.dvf import DVF
from bench_dvf.effort import fitted
from bench_index.beam import search
from bench_index.exact import exact_search
from bench_index.scoring import in_threads, joined
from bench_neural import pairs
from bench_neural.attention import TargetAttention
from bench_neural.execution import use_threads
from bench_neural.scorers import Asked

TILES = (256, 512, 1024, 2048, 4096)  # that brute force may choose from
SHARED = {"blocks": "1", "batch": "16", "epochs": "100"}  # of both scorers; the seconds end the training
WHOLE = {"moments": "12"}  # of the scorer with attention
REPEATS = 3


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    name = f"synthetic:items={options.items},interactions={options.interactions or 10 * options.items}"
    dataset = load_dataset(f"{name},{options.world}".rstrip(","), cache=options.cache, data_root=None)
    task = prepare_task(dataset, parse("next-item"), Conventions(), cache=options.cache)
    settings = SHARED | {"seconds": str(options.seconds)} | dict(one.split("=", 1) for one in options.set)
    whole = ready(task, WHOLE | settings, options)
    requests, targets = task.requests("test")[: options.requests], task.targets("test")[: options.requests]
    given = {name: getattr(options, name) for name in ("world", "requests", "singles", "k", "threads", "stale")}
    record: dict[str, Any] = {
        "items": len(whole.index_.graph),
        "dataset": dataset.title,
        **git_state(Path(__file__).parent),
    }
    record |= {"parameters": params.resolve(DVF, WHOLE | settings), **given}
    found, best = measured(whole, requests, options, record)
    recalls = {"search": recall(found.ids, targets, options.k), "oracle": recall(best.ids, targets, options.k)}
    if not options.no_inner:
        inner = ready(task, settings | {"scorer": "inner", "structure": "hnsw"}, options, graph=False)
        recalls["inner"] = recall(exact(inner, task.catalog().candidates(), requests, options).ids, targets, options.k)
        gain = mean_intervals({"gain": recalls["oracle"] - recalls["inner"]}, seed=0)["gain"]
        record["oracle_gain_over_inner_product"] = dict(gain)
    record |= {f"{name}_recall@{options.k}": float(values.mean()) for name, values in recalls.items()}
    oracle = record[f"oracle_recall@{options.k}"]
    record[f"index_loss@{options.k}"] = (oracle - record[f"search_recall@{options.k}"]) / max(oracle, 1e-9)
    record["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    text = json.dumps(record, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


def arguments() -> argparse.Namespace:
    about = __doc__ or ""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000, help="items in the catalog")
    parser.add_argument("--interactions", type=int, default=0, help="interactions; 0: ten an item")
    parser.add_argument("--world", default="interests=8,focus=0.3", help="further settings of the simulator")
    parser.add_argument("--json", type=Path, help="where the record goes")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "bench", help="data, weights, graphs")
    parser.add_argument("--seconds", type=float, default=600.0, help="training time of each scorer")
    parser.add_argument("--requests", type=int, default=512, help="test requests that are asked")
    parser.add_argument("--singles", type=int, default=64, help="of them, asked one by one")
    parser.add_argument("--k", type=int, default=200, help="items asked for")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of everything")
    parser.add_argument("--no-inner", action="store_true", help="without the inner product's training")
    parser.add_argument("--stale", action="store_true", help="take weights and graph of an earlier source too")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of DVF")
    options = parser.parse_args()
    options.set = ["share=0.01", *options.set]
    return options


def ready(task: Task, settings: dict[str, str], options: argparse.Namespace, graph: bool = True) -> DVF:
    """A trained and indexed method, from the cache where it lies there."""
    declared = params.parameters(DVF)
    digest = "stale" if options.stale else source_digest(DVF)
    shelf = options.cache / "dvf_search"

    def folder(phases: Sequence[str]) -> Path:
        chosen = {
            name: value for name, value in params.resolve(DVF, settings).items() if declared[name].phase in phases
        }
        name = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:12]
        return shelf / "-".join([task.fingerprint[:12], digest[:12], *phases, name])

    def context() -> Context:
        rng = np.random.default_rng(0)
        return Context(0, rng, "cpu", options.threads, Path(), lambda *_: None, logging.getLogger("dvf"))

    def kept(phase: str, phases: Sequence[str], make: Callable[[], None], method: DVF) -> None:
        place = folder(phases)

        def fill(state: Path) -> None:
            begun = time.perf_counter()
            make()
            print(
                f"{settings.get('scorer', 'attention')}: {phase} took {time.perf_counter() - begun:.0f} s", flush=True
            )
            method.save(state, phase)

        build(place, fill)
        method.load(place, phase, context())

    method: DVF = params.build(DVF, settings)
    kept("train", ("train",), lambda: method.train(task.training(), context()), method)
    catalog = task.catalog()
    method.network_.encoder.bind(catalog)
    if graph:
        kept("index", ("train", "index"), lambda: method.index(catalog, context()), method)
    return method


def exact(method: DVF, items: NDArray[np.int32], requests: Requests, options: argparse.Namespace) -> Answer:
    """The best k of an inner product over all items."""
    with torch.inference_mode():
        vectors = method.network_.items()
        asked = method.network_.requests(requests, vectors)
        table = method.network_.scorer.items(vectors[torch.from_numpy(items.astype(np.int64))])
    scorer = pairs.PairScorer(method.network_.scorer, asked, table)
    return exact_search(items, scorer, options.k, requests.exclude, options.threads)


@dataclass
class Recorder:
    """A scorer that notes which nodes it scored, in the order of the search."""

    scorer: pairs.PairScorer
    nodes: list[list[NDArray[np.int32]]] = field(default_factory=list)  # of each request

    def __post_init__(self) -> None:
        self.nodes = self.nodes or [[] for _ in range(len(self.scorer.asked))]

    def part(self, start: int, stop: int) -> Self:
        return type(self)(self.scorer.part(start, stop), self.nodes[start:stop])

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        for mine in self.nodes:
            mine.append(np.arange(start, stop, dtype=np.int32))
        return self.scorer.block(start, stop)

    def pairs(self, nodes: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        for mine, row, count in zip(self.nodes, nodes, counts, strict=True):
            mine.append(row[:count].copy())
        return self.scorer.pairs(nodes, counts)


class Gathered(pairs.PairScorer):
    """Scores rows that already lie one behind the other: node numbers are their places, consecutive in each row and as
    far from row to row as the row above is from its own. Nothing is copied."""

    def _gathered(self, nodes: NDArray[np.int32], buffer: Tensor) -> Tensor:
        (high, wide), width = nodes.shape, self.table.shape[1]
        apart = int(nodes[1, 0] - nodes[0, 0]) if high > 1 else wide
        assert (np.diff(nodes[:, 0]) == apart).all(), "rows of a tile are consecutive ones"
        return self.table.as_strided((high, wide, width), (apart * width, width, 1), int(nodes[0, 0]) * width)


def measured(
    method: DVF, requests: Requests, options: argparse.Namespace, record: dict[str, Any]
) -> tuple[Answer, Answer]:
    """What the search and the exact search answer; fills the record's figures of cost."""
    use_threads(options.threads)
    graph, table, scorer = method.index_.graph, method.index_.table, method.network_.scorer
    effort = fitted(graph, method.ef, method.rounds, method.share, method.quota, method.early_stop)
    with torch.inference_mode():
        asked = method.network_.requests(requests, method.index_.vectors)
    batches = [(at, min(at + 64, len(requests))) for at in range(0, len(requests), 64)]
    singles = [(at, at + 1) for at in range(options.singles)]
    record |= {"gemm_gflops": gemm(options.threads), "search_over_scoring": {}, "qps": {}}

    def run(start: int, stop: int, threads: int, wrap: Callable[[pairs.PairScorer], Any] = lambda one: one) -> Answer:
        one = wrap(pairs.PairScorer(scorer, asked.rows(start, stop), table, threads))
        return search(graph, one, effort, options.k, requests[start:stop].exclude, threads)

    found = joined([run(start, stop, options.threads) for start, stop in batches])
    record["work_share"] = float(found.work.mean()) / len(graph)
    noted: list[Recorder] = []
    for label, calls, threads in (
        ("1 on all threads", singles, options.threads),
        ("1", singles, 1),  # as a request's latency is measured
        ("64", batches[: max(1, len(batches) // 2)], options.threads),
    ):
        ratios, rates, flops = [], [], []
        for start, stop in calls:
            run(start, stop, threads, lambda one: noted.append(Recorder(one)) or noted[-1])
            candidates = [np.concatenate(mine) for mine in noted[-1].nodes]
            searching = seconds(lambda a=start, b=stop, t=threads: run(a, b, t))
            scoring = scoring_seconds(scorer, asked.rows(start, stop), table, candidates, threads)
            ratios.append(searching / scoring)
            rates.append((stop - start) / searching)
            flops.append(sum(map(len, candidates)) * scorer.flops / scoring / 1e9)
        record["search_over_scoring"][label] = float(np.median(ratios))
        record["qps"][label] = float(np.median(rates))
        record["scoring_gflops"] = float(np.median(flops))  # the last: of 64 requests a call
    first, last = calls[-1]
    plain_seconds = []
    for at in range(first, last, 8):
        with torch.inference_mode():  # the user network is on neither side of the comparison
            read = method.network_.users.read(requests[at : at + 1], method.index_.vectors[:, : scorer.dim])
        plain_seconds.append(seconds(lambda a=at, r=read: plain(method, r, noted[-1].nodes[a - first]), 1))
    record["precompute_speedup"] = float(np.mean(plain_seconds)) * record["qps"]["64"]
    best, record["qps"]["brute_force"], record["brute_force_tile"] = brute_force(method, asked, requests, options)
    record["speedup_over_brute_force"] = record["qps"]["64"] / record["qps"]["brute_force"]
    shared = [np.isin(one[one >= 0], other).mean() for one, other in zip(best.ids, found.ids, strict=True)]
    record[f"coverage@{options.k}"] = float(np.mean(shared))
    return found, best


def seconds(action: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The median of several calls."""
    took = []
    for _ in range(repeats):
        begun = time.perf_counter()
        action()
        took.append(time.perf_counter() - begun)
    return float(np.median(took))


def scoring_seconds(
    scorer: Any, asked: Asked, table: Tensor, candidates: Sequence[NDArray[np.int32]], threads: int
) -> float:
    """Scoring each request's candidates, rows of the table that were gathered before the clock starts.

    The requests are dealt out to the threads by the number of their candidates, the most first, as the scorer would
    order them, so that it finds each tile's rows one behind the other.
    """
    by_count = np.argsort([-len(one) for one in candidates], kind="stable")
    dealt = np.concatenate([by_count[part::threads] for part in range(threads)])
    asked, candidates = asked.ordered(torch.from_numpy(dealt)), [candidates[at] for at in dealt]
    longest = max(map(len, candidates))
    counts = np.array([len(one) for one in candidates])
    rows = torch.from_numpy(np.zeros((len(candidates) * longest, table.shape[1]), np.float32))
    for row, one in enumerate(candidates):
        rows[row * longest : row * longest + len(one)] = table[torch.from_numpy(one.astype(np.int64))].float()
    places = np.arange(len(rows), dtype=np.int32).reshape(len(candidates), longest)
    whole = Gathered(scorer, asked, rows, threads)

    def run(one: Gathered, start: int, stop: int) -> Answer:
        one.pairs(places[start:stop], counts[start:stop])
        nothing = np.zeros((stop - start, 0), np.int32)
        return Answer(nothing, nothing.astype(np.float32), counts[start:stop].astype(np.int32))

    return seconds(lambda: in_threads(whole, len(candidates), threads, run))


@torch.inference_mode()
def plain(method: DVF, read: tuple[Tensor, Tensor, Tensor], nodes: Sequence[NDArray[np.int32]]) -> Tensor:
    """Scores of one request's candidates by the formula, every layer computed for every pair; read: what the user
    network made of the request."""
    scorer, network = method.network_.scorer, method.network_
    assert isinstance(scorer, TargetAttention)
    where = torch.from_numpy(method.index_.graph.items[np.concatenate(nodes)].astype(np.int64))
    vectors = network.items(where)  # (n, d + 1): the item network
    count, content = len(vectors), vectors[:, :-1]
    states, history, lengths = read
    state = states[0, lengths[0]].expand(count, -1)
    known = min(int(lengths[0]), scorer.behaviours)
    newest = torch.arange(int(lengths[0]) - 1, int(lengths[0]) - 1 - known, -1)
    behaviours = torch.cat([history[0, newest], states[0, newest + 1]], 1)  # (L, 2d)
    keys, values = scorer.akin(behaviours) + scorer.key(behaviours), scorer.value(behaviours)
    logits = torch.cat([scorer.age[:1].expand(count, 1), content @ keys.T + scorer.age[1 : known + 1]], 1)
    met = torch.softmax(logits, 1) @ torch.cat([scorer.empty[None], values])
    first = met + scorer.user(state) + scorer.item(content)
    inner = (content * state).sum(1) + vectors[:, -1]
    return inner + scorer.judged(first[None])[0] + scorer.evidence * logits.logsumexp(1)


def brute_force(
    method: DVF, asked: Asked, requests: Requests, options: argparse.Namespace
) -> tuple[Answer, float, int]:
    """The exact answers, the queries a second, and the tile size that was fastest on a part of the catalog."""
    items, table, scorer = method.index_.graph.items, method.index_.table, method.network_.scorer
    few = min(64, len(requests))

    def trial(tile: int) -> float:
        pairs.TILE = tile
        part = slice(0, min(len(items), 20_000))
        one = pairs.PairScorer(scorer, asked.rows(0, few), table[part])
        exclude = requests[:few].exclude
        return seconds(lambda: exact_search(items[part], one, options.k, exclude, options.threads))

    tile = min(TILES, key=trial)
    pairs.TILE = tile
    answers, begun = [], time.perf_counter()
    for at in range(0, len(requests), few):
        one = pairs.PairScorer(scorer, asked.rows(at, at + few), table)
        exclude = requests[at : at + few].exclude
        answers.append(exact_search(items, one, options.k, exclude, options.threads))
    return joined(answers), len(requests) / (time.perf_counter() - begun), tile


def gemm(threads: int, size: int = 2048) -> float:
    """Billions of operations a second of a large float32 matrix product."""
    torch.set_num_threads(threads)
    one, other, out = torch.randn(size, size), torch.randn(size, size), torch.empty(size, size)
    torch.mm(one, other, out=out)
    return 2 * size**3 / seconds(lambda: torch.mm(one, other, out=out), 10) / 1e9


if __name__ == "__main__":
    main()
