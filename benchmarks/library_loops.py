"""The libraries behind the back ends in loops of their own: what someone who uses one of them alone would write.

Requests are made ready before (widened, of one type), and what is found is taken as the library gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np

from bench_vector.backends import Backend, Effort, Positions, Vectors, flattened, levelled
from bench_vector.faiss_index import Faiss
from bench_vector.hnswlib_index import Hnswlib
from bench_vector.libraries import Ngt, Scann, Svs, Usearch, Voyager, Zvec


def alone(backend: Backend, users: Vectors, k: int, effort: Effort, threads: int) -> Callable[[], Positions]:
    """A call that answers all users by the library behind an inner-product back end: positions [B, k]."""
    engine: Any = backend
    graph = not isinstance(backend, Faiss | Scann) or (isinstance(backend, Faiss) and backend.graph)
    asked = np.ascontiguousarray(flattened(users) if graph else users)
    ef = max(effort.ef, k)
    index = engine.index
    if isinstance(backend, Faiss):
        return _faiss(backend, asked, k, effort, threads)
    if isinstance(backend, Hnswlib):
        index.set_ef(ef)
        return lambda: index.knn_query(asked, k, num_threads=threads)[0]
    if isinstance(backend, Usearch):
        index.expansion_search = ef
        return lambda: index.search(asked, k, threads=threads).keys
    if isinstance(backend, Voyager):
        return lambda: index.query(asked, k, num_threads=threads, query_ef=ef)[0]
    if isinstance(backend, Svs):
        index.num_threads, index.search_window_size = threads, ef
        return lambda: index.search(asked, k)[0]
    if isinstance(backend, Scann):
        depth = k * effort.refine
        if threads == 1:
            return lambda: index.search_batched(asked, k, depth, effort.probes)[0]
        index.set_num_threads(threads)
        return lambda: index.search_batched_parallel(asked, k, depth, effort.probes, -(-len(asked) // threads))[0]
    if isinstance(backend, Ngt):
        index.set(epsilon=0.0, edge_size=0)
        return lambda: _ngt(engine, asked, ef)[:, :k]
    if isinstance(backend, Zvec):
        how = engine.library.HnswQueryParam(ef=ef)
        query = engine.library.Query
        return lambda: np.stack(
            [index.query_internal_ids(query("vector", vector=one, param=how), topk=k) for one in asked]
        )
    raise TypeError(f"no loop of its own for {type(backend).__name__}: add it here")


def _faiss(backend: Faiss, asked: Vectors, k: int, effort: Effort, threads: int) -> Callable[[], Positions]:
    """faiss puts what it found in compressed vectors in order by an index of its own (IndexRefine)."""
    depth = min(len(backend.ids), k * effort.refine) if backend.compressed else k
    backend.nearest(asked[:1, : backend.vectors.shape[1]], k, effort, threads)  # sets the effort
    if not backend.compressed:
        return lambda: backend.index.search(asked, k)[1]
    shown = levelled(backend.vectors) if backend.graph else np.ascontiguousarray(backend.vectors)
    refined = faiss.IndexRefineFlat(backend.index, faiss.swig_ptr(shown))
    refined.k_factor = depth / k
    return lambda: refined.search(asked, k)[1]


def _ngt(engine: Any, asked: Vectors, ef: int) -> Positions:
    found = engine.library.BatchResults()
    engine.index.batch_search(asked, found, ef)
    return found.get_ids()
