"""The DVF method: any scorer over a graph of the items, searched by the scorer itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench import (
    Answer,
    Catalog,
    Context,
    ParameterError,
    Ragged,
    Requests,
    TrainingData,
    hookimpl,
    param,
    parameters,
)
from bench_dvf.mining import MiningWindows
from bench_dvf.searching import Way, answer
from bench_dvf.serving import Index, placed, rows, updated
from bench_dvf.structure import STRUCTURES, build
from bench_index.covisits import covisits
from bench_index.scoring import in_blocks
from bench_neural.execution import device_of, seeded, use_threads
from bench_neural.method import NetworkMethod
from bench_neural.pairs import PairScorer
from bench_neural.storage import load_arrays, save_arrays
from bench_neural.training import fit, scheduled
from bench_neural.validation import Validation
from bench_neural.whole import Aims, Objective
from bench_neural.windows import later_share

COVISITS, WINDOW = 32, 3  # items kept for each, of those met within so many steps


@dataclass
class DVF(NetworkMethod):
    """Any scorer over a graph: target attention and an MLP score the items that a beam search along HNSW links meets.

    DVF (二向箔): Approximate Nearest Neighbor Search under Neural Similarity Metric for Large-Scale Recommendation
    (NANN, CIKM 2022). An item network over id and side information makes the vectors that the graph is built over; a
    causal transformer reads the user's history; the scorer compares a user's state and latest behaviours with an item.
    Beam-retrieval walks the graph by that score.

    Departures from the paper. The neural scorers add to the inner product of user and item, which is learnt at every
    moment of a window, the whole score at a few, of whose gradient a part (`joint`) reaches the encoders. Softmax over
    shared negatives, corrected by logQ, stands in place of NCE (`loss=nce`). Attention's soft maximum is a term of the
    score. The graph is `layered` in place of HNSW (`structure=hnsw`), and also weighs the items' bias. The search takes
    fixed numbers of new items a round, the best candidates' neighbours first, and bounds the work: `quota=0 share=1` is
    the paper's.
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "items scored"

    loss: str = param(
        "softmax", help="softmax: sampled, corrected by logQ; nce: one by one", choices=("softmax", "nce")
    )
    epsilon: float = param(0.0, help="adversarial step, relative to the vectors' numbers", low=0.0, high=10.0)
    smoothing: float = param(0.0, help="weight of the adversarial task; 0: without", low=0.0, high=1000.0)
    hard: float = param(
        0.0,
        help="share of negatives drawn by what its own (default) search answered wrongly after each epoch",
        low=0.0,
        high=0.9,
    )
    structure: str = param(
        "layered",
        phase="index",
        help="layered: near neighbours pruned, all cores; hnsw: faiss; hnswlib; knn: exact neighbours; medoids: a tree",
        choices=STRUCTURES,
    )
    links: int = param(32, phase="index", help="M: links a node, twice as many at the bottom", low=2, high=256)
    ef_construction: int = param(
        0,
        phase="index",
        help="layered, hnsw, hnswlib: candidates looked at to link a node; 0: the structure's own",
        low=0,
        high=100_000,
    )
    covisited: int = param(
        8,
        phase="index",
        help="further links a node to items often met soon before or after it; less is lost where few may be scored",
        low=0,
        high=COVISITS,
    )
    bias_weight: float = param(
        0.5, phase="index", help="weight of an item's bias in the graph's distances", low=0.0, high=100.0
    )
    precision: str = param(
        "bfloat16", phase="index", help="numbers that the index holds", choices=("float32", "bfloat16")
    )
    ef: tuple[int, ...] = param(
        (100, 200, 600),
        phase="query",
        help="beam width on each layer, the bottom last; narrowed above it where share allows few items",
        low=1,
        high=1_000_000,
    )
    rounds: tuple[int, ...] = param(
        (1, 1, 3), phase="query", help="T: expansions of the beam on each layer, the bottom last", low=1, high=100_000
    )
    share: float = param(
        0.1,
        phase="query",
        help="walk=beam: at most this share of the candidates is scored, or 2.25 k and the excluded where that is more",
        low=0.0001,
        high=1.0,
        sweep=(0.02, 0.05, 0.1, 0.2),
        log=True,
    )
    quota: int = param(
        900,
        phase="query",
        help="new items scored in a layer's first round, half as many again each round; 0: the whole beam's neighbours",
        low=0,
        high=1_000_000,
    )
    early_stop: int = param(
        0, phase="query", help="rounds without a better answer before a layer is left; 0: never", low=0, high=1000
    )
    walk: str = param(
        "beam",
        phase="query",
        help="beam: Beam-retrieval; classic: the HNSW walk, ef its last",
        choices=("beam", "classic"),
    )
    entry: int = param(
        0,
        phase="query",
        help="begin from so many items of the second layer, by inner product; 0: from a whole layer, by score",
        low=0,
        high=100_000,
    )

    sets: str = param(
        "device",
        phase="query",
        help="on an accelerator, where graph and visited sets are: device, or host with scoring alone on the device",
        choices=("device", "host"),
    )

    covisits_: Ragged = field(init=False, repr=False)
    index_: Index = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises ParameterError where parameters do not go with one another."""
        if self.smoothing and self.scorer == "inner":
            raise ParameterError("smoothing is of the whole score, which scorer=inner has none of: leave one out")
        if self.ef_construction and self.structure in ("knn", "medoids"):
            raise ParameterError(f"ef_construction is not for structure={self.structure}: leave it out")
        if self.walk == "classic" and self.structure == "medoids":
            raise ParameterError("walk=classic descends from layer to layer, which structure=medoids does not link")

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        use_threads(context.threads)
        counts = np.bincount(data.interactions.items, minlength=data.catalog.size)
        later = later_share(self.later, data.validation.targets)
        validation = Validation(data.validation, data.catalog.size, context.rng)
        with seeded(context.seed) as generator:
            self.network_ = self.fresh_network(data, counts, context)
            windows = MiningWindows(data.interactions, self.length, later, self.batch, generator, context.device)
            sampler = self.sampler(counts, generator, context.device)
            windows.mine_into(sampler, self.network_, self.hard)
            aims = Aims(self.negatives, self.moments, self.joint, self.loss, later, self.epsilon, self.smoothing)
            objective = Objective(self.network_, counts, sampler, generator, aims)
            met = data.interactions.by_user
            self.covisits_ = covisits(met, data.catalog.size, WINDOW, COVISITS, threads=context.threads)

            def validate() -> float:
                if self.hard:
                    miner = self.with_defaults()
                    miner.index(data.catalog, context)
                    windows.mine(data, lambda requests, k: miner.query(requests, k, context))
                return validation(self.network_)

            fit(self.network_, windows, objective, validate, scheduled(self, counts), context, generators=[generator])
            del self.network_.mined

    def with_defaults(self) -> DVF:
        """This method with all that is learnt, and the defaults of what comes after training: that must not depend on
        them."""
        later = {name: one.default for name, one in parameters(type(self)).items() if one.phase != "train"}
        plain = replace(self, **later)
        plain.network_, plain.covisits_ = self.network_, self.covisits_
        return plain

    @hookimpl
    def divide(self, shards: int) -> None:
        """A shard may score as many of its items as one index of them all."""
        self.share = min(1.0, self.share * shards)

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        use_threads(context.threads)
        self.network_.encoder.bind(catalog)
        with torch.inference_mode():
            vectors, candidates = self.network_.items(), catalog.candidates()
            graph = build(
                self.structure,
                placed(vectors, candidates, self.bias_weight),
                candidates,
                links=self.links,
                effort=self.ef_construction,
                covisits=self.covisits_,
                covisited=self.covisited,
                seed=context.seed,
                threads=context.threads,
            )
            table = rows(self.network_, vectors, graph.items, self.precision == "bfloat16")
            self.index_ = Index.of(vectors, table, graph)

    @hookimpl
    def update(self, catalog: Catalog, added: NDArray[np.int32], removed: NDArray[np.int32], context: Context) -> None:
        use_threads(context.threads)
        with torch.inference_mode():
            self.index_ = updated(
                self.index_,
                self.network_,
                catalog,
                added,
                removed,
                bias_weight=self.bias_weight,
                links=self.links,
                threads=context.threads,
            )

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        threads = max(1, min(context.threads, len(requests)))  # more than one for a request cost more than they give
        use_threads(threads)
        way = Way(self.walk, self.ef, self.rounds, self.share, self.quota, self.early_stop, self.entry, self.sets)
        with torch.inference_mode():
            return in_blocks(requests, lambda part: answer(self.index_, self.network_, part, k, way, threads))

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:
        use_threads(context.threads)
        with torch.inference_mode():
            table = rows(self.network_, self.index_.vectors, items, self.precision == "bfloat16")
            asked = self.network_.requests(requests, self.index_.vectors)
            return PairScorer(self.network_.scorer, asked, table).block(0, len(items))

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "train":
            self.save_network(folder)
            save_arrays(
                folder / "covisits.safetensors", {"offsets": self.covisits_.offsets, "values": self.covisits_.values}
            )
        else:
            self.index_.save(folder)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        if phase == "train":
            self.network_ = self.load_network(folder, context)
            met = load_arrays(folder / "covisits.safetensors")
            self.covisits_ = Ragged(met["offsets"].astype(np.int64), met["values"].astype(np.int32))
        else:
            self.index_ = Index.load(folder, device_of(context))
