"""Any index of faiss, by its factory string."""

from __future__ import annotations

import re
from pathlib import Path

import faiss
import numpy as np

from bench import ParameterError
from bench_vector.backends import Effort, Found, Ids, Metric, Vectors, flattened, levelled, rescored

FILE = "index.faiss"
FEW_POINTS = 1  # a cluster: faiss warns of small samples, which are ours to choose
NSG_EXACT = 20_000  # up to here the neighbours that NSG links are found by comparing all


class Faiss:
    """A faiss index over vectors float32 [C, D], made by a factory string.

    Graphs (HNSW, NSG) compare distances, inner products made such (`levelled`); all others compare as asked. Vectors
    are filled up with zeros where a product quantiser wants another width. What is found in compressed vectors is put
    in order by the vectors themselves, `refine` candidates for each neighbour asked for.
    """

    def __init__(self, vectors: Vectors, ids: Ids, index: faiss.Index, factory: str, metric: Metric) -> None:
        self.vectors, self.ids, self.index, self.factory, self.metric = vectors, ids, index, factory, metric
        self.graph = _graph(factory)
        self.compressed = re.search(r"PQ|SQ|RaBitQ|LSH|RQ|ITQ", factory) is not None

    @classmethod
    def build(
        cls,
        vectors: Vectors,
        ids: Ids,
        factory: str,
        seed: int = 0,
        threads: int = 1,
        ef_construction: int = 200,
        metric: Metric = "inner",
    ) -> Faiss:
        """Train the index and add all vectors. Raises ParameterError, with what faiss says, where it cannot: fewer
        vectors than the quantiser has codes. With one thread the same index each time."""
        shown = _shown(vectors, factory, metric)
        index = made(shown.shape[1], factory, "l2" if _graph(factory) else metric)
        _settle(index, seed, ef_construction, len(vectors))
        _use(threads)
        try:
            if len(vectors):
                index.train(shown)
                index.add(shown)
        except RuntimeError as error:
            raise ParameterError(f"{factory} over {len(vectors):,} vectors: {_said(error)}") from error
        return cls(vectors, ids, index, factory, metric)

    @classmethod
    def open(cls, vectors: Vectors, ids: Ids, folder: Path, factory: str, metric: Metric = "inner") -> Faiss:
        """Read what `save` wrote. The effort belongs to the query, so it cannot be lost with the file."""
        return cls(vectors, ids, faiss.read_index(str(folder / FILE)), factory, metric)

    def nearest(self, users: Vectors, k: int, effort: Effort, threads: int) -> Found:
        _use(threads)
        asked = _widened(flattened(users) if self.graph and self.metric == "inner" else users, self.index.d)
        depth = min(len(self.ids), k * effort.refine) if self.compressed else k
        self._set(effort, depth)
        faiss.cvar.indexIVF_stats.reset()
        faiss.cvar.hnsw_stats.reset()
        away, positions = self.index.search(asked, depth)
        spent = self._spent(len(users), depth)
        if self.compressed or (self.graph and self.metric == "inner"):
            return Found(*rescored(users, self.vectors, positions, k, self.metric), spent)
        scores = away if self.metric == "inner" else -away
        return Found(positions, np.where(positions >= 0, scores, np.float32(-np.inf)), spent)

    def _set(self, effort: Effort, depth: int) -> None:
        names = faiss.ParameterSpace()
        if "IVF" in self.factory:
            names.set_index_parameter(self.index, "nprobe", effort.probes)
        elif "NSG" in self.factory:
            wide = min(max(effort.ef, depth), len(self.ids))  # it begins with so many different nodes
            faiss.downcast_index(self.index).nsg.search_L = wide
        elif "HNSW" in self.factory:
            names.set_index_parameter(self.index, "efSearch", max(effort.ef, depth))

    def _spent(self, requests: int, depth: int) -> int | None:
        """Vectors compared, those of the coarse quantiser and of putting in order included."""
        ordered = requests * depth if self.compressed else 0
        if "IVF" in self.factory:
            lists = faiss.extract_index_ivf(self.index).nlist
            return int(faiss.cvar.indexIVF_stats.ndis) + requests * lists + ordered
        if "HNSW" in self.factory:
            return int(faiss.cvar.hnsw_stats.ndis) + ordered
        return requests * len(self.ids) + ordered if not self.graph else None

    def save(self, folder: Path) -> None:
        faiss.write_index(self.index, str(folder / FILE))


def made(width: int, factory: str, metric: Metric) -> faiss.Index:
    """An empty index over vectors of `width` numbers; raises ParameterError where faiss does not know the string."""
    try:
        return faiss.index_factory(width, factory, faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise ParameterError(f"faiss makes no index of factory={factory}: {_said(error)}") from error


def quantisers(factory: str) -> int:
    """Of how many numbers' multiple a vector's width must be: the parts of a product quantiser, or 1."""
    parts = re.search(r"PQ(\d+)", factory)
    return max(1, int(parts[1])) if parts else 1


def _graph(factory: str) -> bool:
    """Whether the index is a graph; one that only leads to lists is none."""
    return re.search(r"HNSW|NSG", factory) is not None and "IVF" not in factory


def _shown(vectors: Vectors, factory: str, metric: Metric) -> Vectors:
    """The vectors as the index sees them."""
    if metric == "inner" and _graph(factory):
        vectors = levelled(vectors)
    parts = quantisers(factory)
    return _widened(vectors, -(-vectors.shape[1] // parts) * parts)


def _widened(vectors: Vectors, width: int) -> Vectors:
    """Zeros after each vector, up to `width` numbers."""
    missing = width - vectors.shape[1]
    return np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors, np.float32)


def _settle(index: faiss.Index, seed: int, ef_construction: int, count: int) -> None:
    """What a factory string does not say."""
    inner = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index
    inner = faiss.downcast_index(inner)
    if hasattr(inner, "hnsw"):
        inner.hnsw.efConstruction = ef_construction
    if hasattr(inner, "nsg"):
        inner.build_type = 0 if count <= NSG_EXACT else 1
    if hasattr(inner, "do_polysemous_training"):
        inner.do_polysemous_training = False  # for a filter that is not used: most of the time that training takes
    for part in (inner, getattr(inner, "pq", None)):
        if hasattr(part, "cp"):
            part.cp.seed = seed % (1 << 31)
            part.cp.min_points_per_centroid = FEW_POINTS


def _use(threads: int) -> None:
    if faiss.omp_get_max_threads() != threads:
        faiss.omp_set_num_threads(threads)


def _said(error: RuntimeError) -> str:
    """What faiss says, without where in its source."""
    return str(error).rpartition("Error: ")[2].strip() or str(error)
