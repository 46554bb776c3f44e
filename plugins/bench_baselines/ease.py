"""EASE: the linear autoencoder with a closed form."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import psutil
from numpy.typing import NDArray
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from bench import Answer, Catalog, Context, Ragged, Requests, TrainingData, Unavailable, hookimpl, param
from bench_baselines.blocks import answer_in_blocks
from bench_baselines.prior import popularity_prior

BYTES_PER_PAIR = 2 * 4  # float32: the matrix that is inverted in place, and the weights made from it
ITEMS_PER_BLOCK = 256


@dataclass
class EASE:
    """EASE: an item's score is the sum of its learnt weights with the items of the history, in closed form.

    H. Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019. With X the binary user-item matrix and
    P = (X'X + lambda I)^-1, the weights are B = I - P diag(1 / diag P) (eq. 8) and a request's scores x B. All in
    float32, which lambda on the diagonal makes safe (and scipy's float64 Cholesky dies of a signal at 20,000 items).
    Only items with a training interaction take part; no other is ever answered (its score is -inf), so a request gets
    fewer than k where these do not suffice. Memory grows with the square of their number; where that does not fit,
    `train` raises Unavailable. Departure: a history without any such item scores -1 / (1 + interactions), which puts
    the most popular first.
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "items scored"

    regularisation: float = param(
        1000.0,
        help="lambda, added to the diagonal of X'X: larger is smoother, and favours popular items",
        low=1,
        high=100_000,
        log=True,
        sweep=(100, 200, 500, 1000, 2000, 5000),
    )

    items_: NDArray[np.int32] = field(init=False, repr=False)  # [n] sorted: those with a training interaction
    counts_: NDArray[np.int64] = field(init=False, repr=False)  # [n] interactions of each
    weights_: NDArray[np.float32] = field(init=False, repr=False)  # [n, n], both axes in the order of items_
    answers_: NDArray[np.int32] = field(init=False, repr=False)  # [C] the eligible of items_
    columns_: NDArray[np.float32] = field(init=False, repr=False)  # [n, C] weights_ towards answers_
    place_: NDArray[np.int32] = field(init=False, repr=False)  # [items] the place in items_, -1: none

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        counts = np.bincount(data.interactions.items, minlength=data.catalog.size)
        self.items_ = np.flatnonzero(counts).astype(np.int32)
        self.counts_ = counts[self.items_]
        _check_memory(len(self.items_))
        place = _places(self.items_, data.catalog.size)
        users = _binary(data.interactions.by_user, place, len(self.items_))  # (U, n)
        context.progress(0, 1, f"inverting {len(self.items_):,} x {len(self.items_):,}")
        with threadpool_limits(context.threads):
            self.weights_ = _closed_form(users, self.regularisation)
        context.progress(1, 1)

    @hookimpl
    def index(self, catalog: Catalog) -> None:
        self._aim(np.intersect1d(self.items_, catalog.candidates(), assume_unique=True), catalog.size)

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        def answer(block: Requests) -> Answer:
            scores = self._scores(block, self.columns_, self.place_[self.answers_])
            work = np.full(len(block), len(self.answers_), np.int32)
            return Answer.top(self.answers_, scores, k, block.exclude, work)

        return answer_in_blocks(requests, len(self.answers_), context.threads, answer)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32]) -> NDArray[np.float32]:
        places = self.place_[items]
        known = places >= 0
        scores = np.full((len(requests), len(items)), -np.inf, np.float32)  # (B, C)
        scores[:, known] = self._scores(requests, self.weights_[:, places[known]], places[known])
        return scores

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "train":
            np.save(folder / "items.npy", self.items_)
            np.save(folder / "counts.npy", self.counts_)
            np.save(folder / "weights.npy", self.weights_)
        else:
            np.save(folder / "answers.npy", self.answers_)
            np.save(folder / "size.npy", len(self.place_))

    @hookimpl
    def load(self, folder: Path, phase: str) -> None:
        if phase == "train":
            self.items_ = np.load(folder / "items.npy", allow_pickle=False)
            self.counts_ = np.load(folder / "counts.npy", allow_pickle=False)
            self.weights_ = np.load(folder / "weights.npy", allow_pickle=False)
        else:
            answers = np.load(folder / "answers.npy", allow_pickle=False)
            self._aim(answers, int(np.load(folder / "size.npy", allow_pickle=False)))

    def _scores(
        self, requests: Requests, columns: NDArray[np.float32], places: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Float32 [B, C] of the items at `places` [C] of items_, whose weights are `columns` [n, C]."""
        history = _binary(requests.history, self.place_, len(self.items_))  # (B, n)
        scores = history @ columns
        scores[np.diff(history.indptr) == 0] = popularity_prior(self.counts_, len(self.items_))[places]
        return scores

    def _aim(self, answers: NDArray[np.int32], size: int) -> None:
        """Answer with `answers` from now on, a part of items_, in a catalog of `size`."""
        self.answers_ = answers
        self.place_ = _places(self.items_, size)
        whole = len(answers) == len(self.items_)
        self.columns_ = self.weights_ if whole else np.ascontiguousarray(self.weights_[:, self.place_[answers]])


def _closed_form(users: sparse.csr_array, regularisation: float) -> NDArray[np.float32]:
    """B = I - P diag(1 / diag P), P = (X'X + lambda I)^-1, float32 [n, n], of the binary X [U, n]."""
    size = users.shape[1]
    gram = np.empty((size, size), np.float32, order="F")
    items = users.T.tocsr()  # (n, U)
    for start in range(0, size, ITEMS_PER_BLOCK):
        block = slice(start, start + ITEMS_PER_BLOCK)
        gram[:, block] = (items[block] @ users).toarray().T  # symmetric, so rows serve as columns
    gram[np.diag_indices_from(gram)] += regularisation
    factor, failed = linalg.lapack.spotrf(gram, lower=True, overwrite_a=True)
    if failed:
        raise linalg.LinAlgError("EASE: X'X + lambda I is not positive definite; raise regularisation")
    inverse, _ = linalg.lapack.spotri(factor, lower=True, overwrite_c=True)
    # only the lower triangle is set; row i of B is -P[:, i] / diag, read off row by row
    scale = -1.0 / np.diagonal(inverse)
    weights = np.empty(inverse.shape, np.float32)  # (n, n)
    for column in range(len(weights)):
        below = inverse[column:, column]  # P[j, column] for j >= column
        weights[column:, column] = below * scale[column]
        weights[column, column:] = below * scale[column:]
    np.fill_diagonal(weights, 0)
    return weights


def _binary(rows: Ragged, place: NDArray[np.int32], size: int) -> sparse.csr_array:
    """Who has met which item, float32 [len(rows), size] of ones: each item once, items without a place left out."""
    keys = rows.rows() * size + place[rows.values]
    keys = np.unique(keys[place[rows.values] >= 0])
    row, column = np.divmod(keys, size)
    offsets = np.searchsorted(row, np.arange(len(rows) + 1))
    return sparse.csr_array((np.ones(len(keys), np.float32), column, offsets), shape=(len(rows), size))


def _places(items: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    place = np.full(size, -1, np.int32)
    place[items] = np.arange(len(items), dtype=np.int32)
    return place


def _check_memory(items: int) -> None:
    needed, free = items**2 * BYTES_PER_PAIR, psutil.virtual_memory().available
    if needed > free:
        raise Unavailable(
            f"ease needs {needed / 2**30:,.1f} GiB for the weights between {items:,} items and {free / 2**30:,.1f} GiB "
            f"are free here: limit the items (the card's k-core filter) or take item_cf, whose memory is linear"
        )
