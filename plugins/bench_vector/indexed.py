"""What the methods that search vectors have in common: the choice of an index."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench import param
from bench_vector.backends import Backend, Effort, Ids, Metric, Vectors
from bench_vector.faiss_index import Faiss, made, quantisers
from bench_vector.hnswlib_index import Hnswlib

POINTS = 39  # a list, at least: of fewer k-means learns little (faiss warns of them)

FACTORIES = {
    "flat": "Flat",
    "ivf": "IVF{lists},Flat",
    "ivf_pq": "IVF{lists},PQ{bytes}x8",
    "ivf_fastscan": "IVF{lists},PQ{nibbles}x4fs",
    "hnsw_faiss": "HNSW{m},Flat",
    "hnsw_sq8": "HNSW{m},SQ8",
    "nsg": "NSG{m},Flat",
    "rabitq": "RR,IVF{lists},RaBitQ",
}


@dataclass
class Indexed:
    """Parameters of an index over vectors."""

    backend: str = param(
        "flat",
        phase="index",
        help="flat: exact; hnsw: a graph (hnswlib); hnsw_faiss, hnsw_sq8 (8 bits a number), nsg: graphs of faiss; ivf: "
        "inverted lists, ivf_pq, ivf_fastscan, rabitq: of compressed vectors",
        choices=("flat", "hnsw", "hnsw_faiss", "hnsw_sq8", "nsg", "ivf", "ivf_pq", "ivf_fastscan", "rabitq"),
    )
    factory: str = param("", phase="index", help="an index of faiss by its factory string, in place of backend's")
    m: int = param(16, phase="index", help="graphs: links a node and layer", low=2, high=256)
    ef_construction: int = param(
        200, phase="index", help="graphs: candidates looked at to link a node", low=1, high=100_000
    )
    lists: int = param(
        0, phase="index", help="ivf: lists; 0: four times the root of the number of items", low=0, high=1_000_000
    )
    code_bytes: int = param(16, phase="index", help="ivf_pq, ivf_fastscan: bytes of a vector", low=1, high=4096)
    build_threads: int = param(
        1, phase="index", help="with more than one, graphs differ from run to run", low=1, high=1024
    )
    ef: int = param(
        200,
        phase="query",
        help="graphs: candidates held in a search, at least k",
        low=1,
        high=1_000_000,
        sweep=(50, 100, 200, 400, 800),
    )
    probes: int = param(
        16, phase="query", help="ivf: lists looked through", low=1, high=1_000_000, sweep=(4, 8, 16, 32, 64)
    )
    refine: int = param(
        4, phase="query", help="compressed: candidates for each item asked for, put in order exactly", low=1, high=1000
    )

    def __post_init__(self) -> None:
        """Raises ParameterError for a factory string that faiss does not know."""
        if self.factory:
            made(64 * quantisers(self.factory), self.factory, "inner")

    def built(self, vectors: Vectors, ids: Ids, seed: int, metric: Metric = "inner") -> Backend:
        """An index over vectors float32 [C, D] of the catalog ids int32 [C]; raises ParameterError where it cannot be
        made of so few."""
        if self.backend == "hnsw" and not self.factory:
            return Hnswlib.build(vectors, ids, self.m, self.ef_construction, seed, self.build_threads, metric)
        factory = self.factory_of(len(ids))
        return Faiss.build(vectors, ids, factory, seed, self.build_threads, self.ef_construction, metric)

    def opened(self, vectors: Vectors, ids: Ids, folder: Path, metric: Metric = "inner") -> Backend:
        """What its `save` wrote."""
        if self.backend == "hnsw" and not self.factory:
            return Hnswlib.open(vectors, ids, folder, metric)
        return Faiss.open(vectors, ids, folder, self.factory_of(len(ids)), metric)

    def effort(self) -> Effort:
        """How hard a search looks."""
        return Effort(self.ef, self.probes, self.refine)

    def factory_of(self, items: int) -> str:
        """The factory string for so many items."""
        lists = max(1, min(self.lists, items) if self.lists else min(round(4 * items**0.5), items // POINTS))
        return (self.factory or FACTORIES[self.backend]).format(
            lists=lists, m=self.m, bytes=self.code_bytes, nibbles=2 * self.code_bytes
        )
