"""Libraries of nearest neighbours that are extras, by the names of their back ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from bench_vector.backends import Effort, Found, Positions, Vectors, compared
from bench_vector.library import Build, Library, OnDisk

CODES = 16  # of 4 bits: fewer vectors than that teach ScaNN no code
AT_ONCE = 1024  # vectors that zvec takes in one call


class Usearch(Library):
    """USearch's HNSW graph; ef is its `expansion_search`. It takes no seed: the levels drawn are always the same."""

    module = "usearch.index"
    FILE = "index.usearch"

    def make(self, shown: Vectors, how: Build) -> None:
        self.index = self.library.Index(
            ndim=shown.shape[1],
            metric="l2sq",
            dtype="f32",
            connectivity=how.m,
            expansion_add=how.ef_construction,
            enable_key_lookups=False,
        )
        self.index.add(np.arange(len(shown)), shown, threads=how.threads)

    def near(self, asked: Vectors, k: int, effort: Effort, threads: int) -> tuple[Positions, int | None]:
        self.index.expansion_search = max(effort.ef, k)
        found = self.index.search(asked, k, threads=threads)
        counts = found.counts[:, None] if len(asked) > 1 else len(found)  # of one request it gives a row
        keys = np.atleast_2d(found.keys).astype(np.int64)
        return np.where(np.arange(keys.shape[1]) < counts, keys, -1), found.computed_distances

    def write(self, folder: Path) -> None:
        self.index.save(str(folder / self.FILE))

    def read(self, folder: Path) -> None:
        self.index = self.library.Index.restore(str(folder / self.FILE), enable_key_lookups=False)


class Voyager(Library):
    """Voyager's HNSW graph; ef is its `query_ef`."""

    module = "voyager"
    FILE = "index.voy"

    def make(self, shown: Vectors, how: Build) -> None:
        self.index = self.library.Index(
            self.library.Space.Euclidean,
            num_dimensions=shown.shape[1],
            M=how.m,
            ef_construction=how.ef_construction,
            random_seed=how.seed % (1 << 31),
            max_elements=len(shown),
        )
        self.index.add_items(shown, num_threads=how.threads)

    def near(self, asked: Vectors, k: int, effort: Effort, threads: int) -> tuple[Positions, int | None]:
        try:
            positions, _ = self.index.query(asked, k, num_threads=threads, query_ef=max(effort.ef, k))
        except self.library.RecallError:  # the walk could not reach k items: some stand apart from the rest
            return compared(asked[:, : self.vectors.shape[1]], self.vectors, k, self.metric), None
        return positions.astype(np.int64), None

    def write(self, folder: Path) -> None:
        self.index.save(str(folder / self.FILE))

    def read(self, folder: Path) -> None:
        self.index = self.library.Index.load(str(folder / self.FILE))


class Svs(Library):
    """Intel's Scalable Vector Search: a Vamana graph of 2 m links a node, as many as HNSW's lowest layer has, of which
    ef is the `search_window_size`. It draws nothing."""

    module = "svs"
    PARTS = ("svs-config", "svs-graph", "svs-vectors")

    def make(self, shown: Vectors, how: Build) -> None:
        rules = self.library.VamanaBuildParameters(graph_max_degree=2 * how.m, window_size=how.ef_construction)
        distance = self.library.DistanceType.L2
        self.index = self.library.Vamana.build(rules, shown, distance, num_threads=how.threads)

    def near(self, asked: Vectors, k: int, effort: Effort, threads: int) -> tuple[Positions, int | None]:
        if self.index.num_threads != threads:
            self.index.num_threads = threads
        self.index.search_window_size = max(effort.ef, k)
        positions = self.index.search(asked, k)[0].astype(np.int64)
        unused = np.cumsum(positions == 0, 1) > 1  # places that it leaves empty hold 0 again and again
        return np.where(unused & (positions == 0), -1, positions), None

    def write(self, folder: Path) -> None:
        self.index.save(*(str(folder / part) for part in self.PARTS))

    def read(self, folder: Path) -> None:
        rules, graph, vectors = (str(folder / part) for part in self.PARTS)
        self.index = self.library.Vamana(
            rules,
            self.library.GraphLoader(graph),
            self.library.VectorDataLoader(vectors, self.library.DataType.float32),
            self.library.DistanceType.L2,
        )


class Scann(Library):
    """ScaNN: leaves of k-means, codes of 4 bits in them, anisotropic for inner products (Guo et al., Accelerating
    Large-Scale Inference with Anisotropic Vector Quantization, ICML 2020), and exact numbers to put in order.

    probes are its `leaves_to_search`, refine times k its `pre_reorder_num_neighbors`. With fewer vectors than codes all
    are compared. It takes no seed, and anisotropic codes differ from build to build.
    """

    module = "scann"
    graph = False
    FOLDER = "scann"
    ANISOTROPY = 0.2  # the threshold of its own examples

    def make(self, shown: Vectors, how: Build) -> None:
        measure = "squared_l2" if self.metric == "l2" else "dot_product"
        builder = self.library.scann_ops_pybind.builder(shown, 10, measure).set_n_training_threads(how.threads)
        if len(shown) >= CODES:
            block = -(-shown.shape[1] // (2 * how.code_bytes))
            bent = self.ANISOTROPY if measure == "dot_product" else float("nan")
            builder = builder.tree(how.lists, how.lists).score_ah(block, anisotropic_quantization_threshold=bent)
            self.index = builder.reorder(10).build()
        else:
            self.index = builder.score_brute_force().build()

    def nearest(self, users: Vectors, k: int, effort: Effort, threads: int) -> Found:
        """Its own scores: it has put what it found in order by the vectors, as `rescored` would once more."""
        positions, scores = self.asked(np.ascontiguousarray(users, np.float32), k, effort, threads)
        there = np.isfinite(scores)
        scores = scores if self.metric == "inner" else -scores
        return Found(
            np.where(there, positions.astype(np.int64), -1), np.where(there, scores, np.float32(-np.inf)), None
        )

    def near(self, asked: Vectors, k: int, effort: Effort, threads: int) -> tuple[Positions, int | None]:
        return self.nearest(asked, k, effort, threads).positions, None

    def asked(self, users: Vectors, k: int, effort: Effort, threads: int) -> tuple[NDArray[np.uint32], Vectors]:
        """Positions [B, k] and what it says of them: inner products, or squared distances."""
        depth = min(len(self.ids), k * effort.refine)
        if threads == 1:
            return self.index.search_batched(users, k, depth, effort.probes)
        self.index.set_num_threads(threads)
        return self.index.search_batched_parallel(users, k, depth, effort.probes, -(-len(users) // threads))

    def write(self, folder: Path) -> None:
        (folder / self.FOLDER).mkdir(exist_ok=True)
        self.index.serialize(str(folder / self.FOLDER), relative_path=True)  # the folder is renamed when it is whole

    def read(self, folder: Path) -> None:
        self.index = self.library.scann_ops_pybind.load_searcher(str(folder / self.FOLDER))


class Ngt(OnDisk):
    """NGT's ANNG graph (and tree, which gives the first nodes), all links of a node followed.

    Its own measure of effort, epsilon, goes as far beyond the k-th neighbour found as a share of its distance; it is 0
    here and ef neighbours are asked for, so that the search goes as far as the ef-th: what ef says elsewhere.
    ef_construction is not read: NGT's Python takes none.
    """

    module = "ngtpy"
    FOLDER = "ngt"
    ALL = 0  # links

    def fill(self, place: Path, shown: Vectors, how: Build) -> None:
        self.library.create(
            str(place), shown.shape[1], edge_size_for_creation=how.m, edge_size_for_search=self.ALL, distance_type="L2"
        )
        index = self.library.Index(str(place), log_disabled=True)
        index.batch_insert(shown, num_threads=how.threads)
        index.save()
        index.close()

    def opened(self) -> Any:
        self.openmp = ThreadpoolController().select(user_api="openmp")  # the only word on threads that NGT listens to
        return self.library.Index(str(self.place), read_only=True, log_disabled=True)

    def near(self, asked: Vectors, k: int, effort: Effort, threads: int) -> tuple[Positions, int | None]:
        self.index.set(epsilon=0.0, edge_size=self.ALL)
        found = self.library.BatchResults()
        with self.openmp.limit(limits=threads):
            self.index.batch_search(asked, found, max(effort.ef, k))
        starts, ids = found.get_index().astype(np.int64), found.get_indexed_ids()
        at = starts[:-1, None] + np.arange(k)  # (B, k)
        return np.where(at < starts[1:, None], ids[np.minimum(at, len(ids) - 1)], -1).astype(np.int64), None


class Zvec(OnDisk):
    """zvec's HNSW graph, in a collection of its own. It takes one request a call, on one thread.

    ef is its `ef`, which ends at 2,048: for more neighbours than that it compares all. It takes no seed, and the graph
    differs from build to build.
    """

    module = "zvec"
    FOLDER = "zvec"
    FIELD = "vector"
    MOST = 2048

    def fill(self, place: Path, shown: Vectors, how: Build) -> None:
        zvec = self.library
        graph = zvec.HnswIndexParam(metric_type=zvec.MetricType.L2, m=how.m, ef_construction=how.ef_construction)
        field = zvec.VectorSchema(self.FIELD, zvec.DataType.VECTOR_FP32, shown.shape[1], index_param=graph)
        collection = zvec.create_and_open(str(place), zvec.CollectionSchema("items", vectors=field))
        for at in range(0, len(shown), AT_ONCE):
            block = shown[at : at + AT_ONCE]
            items = [zvec.Doc(str(at + row), vectors={self.FIELD: one}) for row, one in enumerate(block)]
            refused = [said for said in collection.insert(items) if not said.ok()]
            if refused:
                raise RuntimeError(
                    f"zvec did not take {len(refused):,} of {len(items):,} vectors: {refused[0].message()}"
                )
        collection.optimize(zvec.OptimizeOption(concurrency=how.threads))
        collection.close()

    def opened(self) -> Any:
        collection = self.library.open(str(self.place), self.library.CollectionOption(read_only=True))
        self.positions = np.array(collection.resolve_internal_ids(np.arange(len(self.ids)))).astype(np.int64)
        return collection

    def near(self, asked: Vectors, k: int, effort: Effort, threads: int) -> tuple[Positions, int | None]:
        how = self.library.HnswQueryParam(ef=min(max(effort.ef, k), self.MOST), is_linear=k > self.MOST)
        found = np.empty((len(asked), k), np.int64)
        for row, user in enumerate(asked):
            query = self.library.Query(self.FIELD, vector=user, param=how)
            found[row] = self.index.query_internal_ids(query, topk=k)
        return np.where(found >= 0, self.positions[found], -1), None


LIBRARIES: dict[str, type[Library]] = {
    "usearch": Usearch,
    "voyager": Voyager,
    "svs": Svs,
    "scann": Scann,
    "ngt": Ngt,
    "zvec": Zvec,
}
