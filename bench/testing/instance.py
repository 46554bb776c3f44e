"""The method under test, driven through its hooks as a run drives it."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pluggy
from numpy.typing import NDArray

from bench import params
from bench.answer import Answer
from bench.context import Context
from bench.data.tables import Catalog, Requests, TrainingData
from bench.run.hooks import connect, implements
from bench.testing.world import Truth, World

K = 10
SEED = 7


@dataclass(frozen=True, slots=True)
class Ready:
    """An instance that has been trained and indexed."""

    name: str
    hooks: pluggy.HookRelay
    device: str = "cpu"

    def query(self, requests: Requests, k: int = K) -> Answer:
        with lent_context(self.device) as context:
            return self.hooks.query(requests=requests, k=k, context=context)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Subject:
    """The class under test with its settings, and the device that its contexts name."""

    cls: type
    settings: dict[str, Any]
    device: str = "cpu"

    @property
    def name(self) -> str:
        return self.cls.__qualname__

    def fresh(self) -> pluggy.HookRelay:
        return connect(params.build(self.cls, self.settings))

    def trained(self, data: TrainingData) -> pluggy.HookRelay:
        hooks = self.fresh()
        with lent_context(self.device) as context:
            hooks.train(data=data, context=context)
        return hooks

    def ready(self, world: World) -> Ready:
        return self.indexed(self.trained(world.training), world.catalog)

    def indexed(self, hooks: pluggy.HookRelay, catalog: Catalog) -> Ready:
        with lent_context(self.device) as context:
            hooks.index(catalog=catalog, context=context)
        return self.revealed(hooks, catalog)

    def updated(
        self, hooks: pluggy.HookRelay, catalog: Catalog, added: NDArray[np.int32], removed: NDArray[np.int32]
    ) -> Ready:
        """What was indexed, after its catalog has changed."""
        with lent_context(self.device) as context:
            hooks.update(catalog=catalog, added=added, removed=removed, context=context)
        return self.revealed(hooks, catalog)

    def revealed(self, hooks: pluggy.HookRelay, catalog: Catalog) -> Ready:
        """Ready to be asked, told the true preferences if it wants them."""
        with lent_context(self.device) as context:
            if implements(hooks, "reveal"):
                hooks.reveal(preferences=Truth(catalog.size), context=context)
        return Ready(self.name, hooks, self.device)


@contextlib.contextmanager
def lent_context(device: str = "cpu") -> Iterator[Context]:
    """What a run lends for one call: one thread, a device, an empty folder."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rng = np.random.default_rng(SEED)
        yield Context(SEED, rng, device, 1, Path(folder), lambda done, total, note="": None, logging.getLogger("bench"))
