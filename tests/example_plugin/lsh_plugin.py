from dataclasses import dataclass, field

import numpy as np

from bench import Answer, Catalog, Context, Requests, TrainingData, hookimpl, param


@dataclass
class LSH:
    """Random hyperplanes over the users of each item: answers the items whose bits agree most with the history's."""

    bits: int = param(256, phase="index", help="hyperplanes", low=8, sweep=(64, 256, 1024))

    codes_: np.ndarray = field(init=False, repr=False)  # (items, bits) of -1 and 1, 0 for an item nobody has met

    @hookimpl
    def train(self, data: TrainingData) -> None:
        self.users_, self.items_ = data.interactions.users, data.interactions.items

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        planes = context.rng.standard_normal((self.users_.max() + 1, self.bits), np.float32)
        sides = np.zeros((catalog.size, self.bits), np.float32)
        np.add.at(sides, self.items_, planes[self.users_])  # an item's users, times the hyperplanes
        self.codes_, self.candidates_ = np.sign(sides), catalog.candidates()

    @hookimpl
    def query(self, requests: Requests, k: int) -> Answer:
        history = [self.codes_[items].sum(axis=0) for items in requests.history]
        wanted = np.sign(np.reshape(history, (-1, self.bits)))  # (B, bits)
        return Answer.top(self.candidates_, wanted @ self.codes_[self.candidates_].T, k, requests.exclude)
