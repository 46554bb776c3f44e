"""What the methods that search vectors have in common: the choice of an index."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench import param
from bench_vector.backends import Backend, Effort, Ids, Metric, Vectors
from bench_vector.faiss_index import Faiss, made, quantisers
from bench_vector.hnswlib_index import Hnswlib
from bench_vector.libraries import LIBRARIES
from bench_vector.library import Build

POINTS = 39  # a list, at least: of fewer k-means learns little (faiss warns of them)

FACTORIES = {
    "flat": "Flat",
    "hnsw_faiss": "HNSW{m},Flat",
    "hnsw_sq8": "HNSW{m},SQ8",
    "nsg": "NSG{m},Flat",
    "ivf": "IVF{lists},Flat",
    "ivf_pq": "IVF{lists},PQ{bytes}x8",
    "ivf_fastscan": "IVF{lists},PQ{nibbles}x4fs",
    "rabitq": "RR,IVF{lists},RaBitQ",
}


@dataclass
class Indexed:
    """Parameters of an index over vectors."""

    backend: str = param(
        "flat",
        phase="index",
        help="flat: exact; hnsw: a graph (hnswlib); hnsw_faiss, hnsw_sq8 (8 bits a number), nsg: graphs of faiss; ivf: "
        "inverted lists, ivf_pq, ivf_fastscan, rabitq: of compressed vectors; libraries to install, pip install "
        "'bench[NAME]': usearch, voyager, svs, ngt, zvec: graphs; scann: lists of compressed vectors",
        choices=("hnsw", *FACTORIES, *LIBRARIES),
    )
    factory: str = param("", phase="index", help="an index of faiss by its factory string, in place of backend's")
    m: int = param(16, phase="index", help="graphs: links a node and layer", low=2, high=256)
    ef_construction: int = param(
        200, phase="index", help="graphs: candidates looked at to link a node", low=1, high=100_000
    )
    lists: int = param(
        0, phase="index", help="ivf, scann: lists; 0: four times the root of the number of items", low=0, high=1_000_000
    )
    code_bytes: int = param(16, phase="index", help="ivf_pq, ivf_fastscan, scann: bytes of a vector", low=1, high=4096)
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
        16, phase="query", help="ivf, scann: lists looked through", low=1, high=1_000_000, sweep=(4, 8, 16, 32, 64)
    )
    refine: int = param(
        4, phase="query", help="compressed: candidates for each item asked for, put in order exactly", low=1, high=1000
    )

    def __post_init__(self) -> None:
        """Raises ParameterError for a factory string that faiss does not know."""
        if self.factory:
            made(64 * quantisers(self.factory), self.factory, "inner")

    def built(self, vectors: Vectors, ids: Ids, seed: int, metric: Metric = "inner") -> Backend:
        """An index over vectors float32 [C, D] of the catalog ids int32 [C]. Raises ParameterError where it cannot be
        made of so few, Unavailable where its library is missing."""
        if not self.factory and self.backend in LIBRARIES:
            lists = self._lists(len(ids))
            how = Build(self.m, self.ef_construction, lists, self.code_bytes, seed, self.build_threads)
            return LIBRARIES[self.backend].build(vectors, ids, how, metric)
        if not self.factory and self.backend == "hnsw":
            return Hnswlib.build(vectors, ids, self.m, self.ef_construction, seed, self.build_threads, metric)
        factory = self.factory_of(len(ids))
        return Faiss.build(vectors, ids, factory, seed, self.build_threads, self.ef_construction, metric)

    def opened(self, vectors: Vectors, ids: Ids, folder: Path, metric: Metric = "inner") -> Backend:
        """What its `save` wrote."""
        if not self.factory and self.backend in LIBRARIES:
            return LIBRARIES[self.backend].open(vectors, ids, folder, metric)
        if not self.factory and self.backend == "hnsw":
            return Hnswlib.open(vectors, ids, folder, metric)
        return Faiss.open(vectors, ids, folder, self.factory_of(len(ids)), metric)

    def effort(self) -> Effort:
        """How hard a search looks."""
        return Effort(self.ef, self.probes, self.refine)

    def factory_of(self, items: int) -> str:
        """The factory string for so many items."""
        return (self.factory or FACTORIES[self.backend]).format(
            lists=self._lists(items), m=self.m, bytes=self.code_bytes, nibbles=2 * self.code_bytes
        )

    def _lists(self, items: int) -> int:
        return max(1, min(self.lists, items) if self.lists else min(round(4 * items**0.5), items // POINTS))
