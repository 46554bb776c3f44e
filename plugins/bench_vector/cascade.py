"""Retrieval by two towers, then pre-ranking of what they found by a small network over pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bench import Answer, Catalog, Context, Requests, TrainingData, hookimpl, param
from bench_neural.checkpoint import apart
from bench_neural.execution import device_of, seeded, use_threads
from bench_neural.losses import sampled_softmax
from bench_neural.negatives import NegativeSampler, owned
from bench_neural.storage import load_weights, save_weights
from bench_neural.training import Schedule, fit
from bench_neural.validation import Validation
from bench_neural.windows import Batch, Windows, later_share
from bench_vector.backends import search
from bench_vector.prerank import CROSSED, Explorer, PreRanker, Sides, chosen, cost, gathered
from bench_vector.tower import ITEMS_AT_ONCE, Items, Towers, met_before
from bench_vector.two_tower import TwoTower

_CELLS = 1 << 23  # numbers of candidates held at once


@dataclass
class Cascade(TwoTower):
    """Two towers retrieve, a network over pairs pre-ranks (COLD: Towards the Next Generation of Pre-Ranking System,
    DLP-KDD 2020; Towards a Better Tradeoff between Effectiveness and Efficiency in Pre-Ranking, FSCD, SIGIR 2021).

    When the towers have been trained as `two_tower` trains them, a network with a squeeze-and-excitation block learns
    from all inputs, for a pass, what each brings: the fields of both towers, products of the item with the user's state
    and newest item, and attention of the item to the newest 8 and to all items met. Those that bring most for what they
    cost a pair are kept, as many as `budget` allows; a network over them alone, beside the towers' score, then learns
    to pre-rank. What depends on the user or the item alone costs nothing for a pair and is always kept. The record's
    milestone "inputs" tells the importances. Departure: FSCD learns the choice by dropout of inputs.
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "items pre-ranked"

    budget: float = param(
        0.5,
        help="share of what all inputs cost a pair that the chosen may cost",
        low=0.0,
        high=1.0,
        sweep=(0.2, 0.5, 1),
    )
    passes: int = param(
        2, help="over the training data for the pre-ranker; one more chooses its inputs", low=1, high=1000
    )
    ranked: int = param(64, help="items drawn for each batch of the pre-ranker", low=1, high=100_000)
    moments: int = param(4, help="moments of a window at which it is learnt", low=1, high=10_000)
    ratio: int = param(
        5, phase="query", help="candidates for each item asked for", low=1, high=10_000, sweep=(1, 2, 5, 10)
    )

    ranker_: PreRanker = field(init=False, repr=False)
    slices_: Tensor = field(init=False, repr=False)  # (N, h): the ranker's item side

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        super().train(data, apart(context, 0))
        counts = np.bincount(data.interactions.items, minlength=data.catalog.size)
        later = later_share(self.later, data.validation.targets)
        validation = Validation(data.validation, data.catalog.size, context.rng)
        users, items = self._fields()
        with seeded(context.seed) as generator:
            windows = Windows(data.interactions, self.length, later, self.batch, generator, context.device)
            sampler = NegativeSampler(counts, generator, self.power, self.uniform, context.device)
            explorer = Explorer(users, items, self.dim, self.hidden).to(context.device)
            self._fitted(explorer, windows, sampler, 1, None, apart(context, 1))
            costs = [cost(which, self.dim, self.hidden, self.length) for which in range(len(CROSSED))]
            kept = chosen(explorer.importances, users, items, costs, self.budget)
            told = {name: float(explorer.importances[users + items + at]) for at, name in enumerate(CROSSED)}
            told["mean of the user's fields"] = float(explorer.importances[:users].mean())
            told["mean of the item's fields"] = float(explorer.importances[users : users + items].mean())
            told["kept of what crosses"] = len(kept) - users - items
            context.milestone("inputs", **told)
            self.ranker_ = PreRanker(users, items, self.dim, self.hidden, kept).to(context.device)
            self._fitted(self.ranker_, windows, sampler, self.passes, validation, apart(context, 2))

    def _fields(self) -> tuple[int, int]:
        """How many fields the user and the item have."""
        towers = self.towers_
        profiles = len(towers.users.profiles.features.vocabulary.fields)
        return 3 + profiles, 1 + len(towers.encoder.features.vocabulary.fields)

    def _fitted(
        self,
        ranker: PreRanker,
        windows: Windows,
        sampler: NegativeSampler,
        epochs: int,
        validation: Validation | None,
        context: Context,
    ) -> None:
        """Train the ranker; without a validation its last weights are kept."""
        objective = PreRanking(self.towers_, ranker, sampler, self.ranked, self.moments)
        schedule = Schedule(epochs, epochs, self.seconds, self.learning_rate, self.weight_decay, final=0.05)

        def validate() -> float:
            if validation is None:
                return float("nan")
            items, slices = self.towers_.catalog_items(), self._item_side(ranker)
            places = torch.from_numpy(validation.candidates).to(slices.device)

            def scores_of(requests: Requests) -> Tensor:
                return self._scores(
                    ranker, self._asking(requests, items), items, slices, places.expand(len(requests), -1)
                )

            return validation.recall(scores_of)

        fit(ranker, windows, objective, validate, schedule, context, generators=[windows.generator])

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        super().index(catalog, context)
        with torch.inference_mode():
            self.slices_ = self._item_side(self.ranker_)

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        use_threads(context.threads)
        depth = min(self.ratio * k, len(self.index_.ids))
        with torch.inference_mode():
            asking = self._asking(requests, self.items_)
            users = asking[1].cpu().numpy()
            found = search(self.index_, users, requests, depth, self.effort(), context.threads)
            places = torch.from_numpy(found.ids.astype(np.int64)).clamp(min=0).to(self.slices_.device)
            scores = self._scores(self.ranker_, asking, self.items_, self.slices_, places).cpu().numpy()
        work = np.count_nonzero(found.ids >= 0, axis=1).astype(np.int32)
        return Answer.top(found.ids, scores, k, work=work)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:
        use_threads(context.threads)
        where = torch.from_numpy(np.asarray(items, np.int64)).to(self.slices_.device)
        with torch.inference_mode():
            places = where.expand(len(requests), -1)
            asking = self._asking(requests, self.items_)
            scores = self._scores(self.ranker_, asking, self.items_, self.slices_, places)
        found: NDArray[np.float32] = scores.cpu().numpy()
        return found

    def _item_side(self, ranker: PreRanker) -> Tensor:
        """The ranker's item side (N, h) of the bound catalog."""
        encoder = self.towers_.encoder
        every = torch.arange(encoder.size, device=encoder.rows.device)
        return torch.cat([ranker.item_side(encoder.fields(ids)) for ids in every.split(ITEMS_AT_ONCE)])

    def _asking(self, requests: Requests, items: Items) -> tuple[Sides, Tensor]:
        """What pre-ranking knows of the requests, and their towers' vectors (B, D)."""
        return asked_with(self.towers_, *self.towers_.read(requests, items.embeddings), self.length)

    def _scores(
        self, ranker: PreRanker, asking: tuple[Sides, Tensor], items: Items, slices: Tensor, places: Tensor
    ) -> Tensor:
        """Scores (B, C) of each request's candidates, places int64 (B, C) in the catalog; asking: see `_asking`."""
        sides, users = asking
        wide = places.shape[1] * (self.dim + self.hidden + self.length)
        step = max(1, _CELLS // max(1, wide))
        parts = []
        for rows in (slice(at, at + step) for at in range(0, len(users), step)):
            some = places[rows]
            base = torch.bmm(gathered(items.vectors, some), users[rows, :, None])[:, :, 0]
            near = gathered(items.embeddings, some)
            parts.append(ranker.scores(sides.rows(rows), near, gathered(slices, some), base))
        return torch.cat(parts) if parts else users.new_zeros(0, places.shape[1])

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        super().save(folder, phase)
        if phase == "train":
            save_weights(folder / "ranker.safetensors", self.ranker_)
            np.save(folder / "kept.npy", np.array(self.ranker_.kept), allow_pickle=False)
        else:
            np.save(folder / "slices.npy", self.slices_.cpu().numpy(), allow_pickle=False)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        super().load(folder, phase, context)
        device = device_of(context)
        if phase == "train":
            kept = tuple(np.load(folder / "kept.npy", allow_pickle=False).tolist())
            self.ranker_ = PreRanker(*self._fields(), self.dim, self.hidden, kept)
            load_weights(folder / "ranker.safetensors", self.ranker_)
            self.ranker_.to(device).eval()
        else:
            self.slices_ = torch.from_numpy(np.load(folder / "slices.npy", allow_pickle=False)).to(device)


def asked_with(
    towers: Towers, history: Tensor, codes: Tensor, weights: Tensor, now: Tensor, length: int
) -> tuple[Sides, Tensor]:
    """What pre-ranking knows at the chosen moments, given as `Towers.asked` takes them, and the towers' vectors (P, D)
    there: the history is encoded once for both."""
    fields = towers.user_fields(history, codes, weights, now)
    return Sides(fields, *met_before(history, now, length)), towers.compared_users(towers.user_vectors(fields))


class PreRanking:
    """The loss of one batch of windows: targets at some moments against drawn items, by softmax with logQ.

    The towers stay as they are.
    """

    def __init__(self, towers: Towers, ranker: PreRanker, sampler: NegativeSampler, drawn: int, moments: int) -> None:
        self.towers, self.ranker, self.sampler, self.drawn, self.moments = towers, ranker, sampler, drawn, moments

    def __call__(self, batch: Batch) -> Tensor:
        towers, ranker = self.towers, self.ranker
        at, _ = batch.some(self.moments, self.sampler.generator)
        now = batch.moments & torch.zeros_like(batch.moments).scatter_(1, at, True)  # (B, L + 1)
        targets = batch.targets[now]  # (P,)
        found = self.sampler.draw(self.drawn)
        needed = torch.unique(torch.cat([batch.following[batch.moments], found.ids]))  # (n,)
        with torch.no_grad():
            items, fields = towers.items(needed), towers.encoder.fields(needed)
            history = functional.embedding(torch.searchsorted(needed, batch.history), items.embeddings)
            codes, weights = towers.users.codes[batch.users], towers.users.weights[batch.users]
            sides, users = asked_with(towers, history, codes, weights, now, towers.users.length)
            places = torch.cat([targets[:, None], found.ids.expand(len(targets), -1)], 1)  # (P, 1 + S)
            places = torch.searchsorted(needed, places)
            base = torch.bmm(gathered(items.vectors, places), users[:, :, None])[:, :, 0]
            near = gathered(items.embeddings, places)
        if isinstance(ranker, Explorer):
            scores = ranker.explored(sides, near, gathered(fields, places), base)
        else:
            scores = ranker.scores(sides, near, gathered(ranker.item_side(fields), places), base)
        blocked = owned(batch.following, found.ids)[now.nonzero()[:, 0]]
        own = self.sampler.log_q(targets, self.drawn)
        return sampled_softmax(scores[:, 0], scores[:, 1:], own, found.log_q, blocked)
