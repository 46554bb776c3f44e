"""A small log, and a method that takes the time and memory it is told, by the interaction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bench.run.plan import Home

METHOD = '''
import time
from dataclasses import dataclass, field
import numpy as np
from bench import Answer, hookimpl, param


@dataclass
class Slow:
    """Popularity that takes its time."""

    work: float = param(0.0, phase="train", help="seconds for all of 10,000 interactions", low=0.0)
    megabytes: float = param(0.0, phase="train", help="memory for all of 10,000 interactions", low=0.0)
    width: int = param(1, phase="query", help="of no use")
    fails: bool = param(False, phase="train", help="whether it raises")

    counts_: object = field(init=False, default=None)

    @hookimpl
    def train(self, data):
        if self.fails: raise ValueError("seven is no prime here")
        share = len(data.interactions) / 10_000
        block = np.ones(int(self.megabytes * share * 125_000))
        time.sleep(self.work * share)
        self.counts_ = np.bincount(data.interactions.items, minlength=data.catalog.size).astype(np.float32)
        del block

    @hookimpl
    def index(self, catalog): ...

    @hookimpl
    def query(self, requests, k):
        rows = np.broadcast_to(self.counts_, (len(requests), len(self.counts_)))
        return Answer.top(np.arange(len(self.counts_), dtype=np.int32), rows, k, requests.exclude)

    @hookimpl
    def save(self, folder, phase):
        np.save(folder / "counts.npy", self.counts_)

    @hookimpl
    def load(self, folder, phase):
        self.counts_ = np.load(folder / "counts.npy")
'''


@dataclass(frozen=True)
class Place:
    """A folder with the method, a data set of about 10,000 training interactions, and a home."""

    folder: Path
    home: Home

    def suite(self, text: str) -> Path:
        path = self.folder / "suite.toml"
        path.write_text(
            f'datasets = ["{self.folder / "shop.toml"}"]\nprotocols = ["user-holdout:users=20"]\nks = [5]\n'
            f'timing = "none"\n{text}',
            encoding="utf-8",
        )
        return path


@pytest.fixture
def place(tmp_path):
    rng = np.random.default_rng(1)
    users = np.repeat(np.arange(540), 20)
    rows = zip(users, rng.integers(0, 200, len(users)), range(len(users)), strict=True)
    (tmp_path / "log.csv").write_text("u,i,t\n" + "\n".join(f"{u},{i},{t}" for u, i, t in rows), encoding="utf-8")
    (tmp_path / "shop.toml").write_text(
        'title = "Shop"\n[interactions]\nfile = "log.csv"\nuser = "u"\nitem = "i"\ntime = "t"\n', encoding="utf-8"
    )
    (tmp_path / "mine.py").write_text(METHOD, encoding="utf-8")
    return Place(tmp_path, Home(tmp_path / "results", tmp_path / "cache"))
