"""What a method may implement. `train`, `index` and `query` are its three phases; the rest is optional.

An implementation may leave out arguments that it does not need. Hooks say nothing of benchmarks: a method never sees
test targets, metrics or clocks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pluggy
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bench.answer import Answer
    from bench.context import Context
    from bench.data.tables import Catalog, Requests, TrainingData

hookspec = pluggy.HookspecMarker("bench")
hookimpl = pluggy.HookimplMarker("bench")


@hookspec(firstresult=True)
def train(data: TrainingData, context: Context) -> None:
    """Learn. `data` holds the training and the validation part, never a test target."""


@hookspec(firstresult=True)
def index(catalog: Catalog, context: Context) -> None:
    """Build what `query` needs over the query catalog. Its first rows are the training catalog; later ones are new.

    Where `update` follows, the catalog is the training catalog alone.
    """


@hookspec(firstresult=True)
def query(requests: Requests, k: int, context: Context) -> Answer:  # type: ignore[empty-body]
    """Answer each request with up to `k` distinct items, best first, none of them in `requests.exclude`."""


@hookspec(firstresult=True)
def score(requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:  # type: ignore[empty-body]
    """Optional: the score [B, C] that orders the final answer, of every item of `items` int32 [C], for the oracle."""


@hookspec(firstresult=True)
def update(catalog: Catalog, added: NDArray[np.int32], removed: NDArray[np.int32], context: Context) -> None:
    """Optional: let the built index serve `catalog`, which has changed, without training.

    Ids keep their meaning; rows beyond the former size are new items. added int32 [A]: ids that may be answered now and
    could not before; removed int32 [R]: ids that may no longer be; both sorted. `catalog.candidates()` is the outcome.
    """


@hookspec(firstresult=True)
def divide(shards: int) -> None:
    """Optional: from now on serve one of so many shards, whose items alone `index` will see among the eligible.

    What is relative to the number of items is made as large as for all of them, so that a shard finds of its items at
    least what one index would. Raises ParameterError, saying why, where answers of shards cannot be merged by score.
    """


@hookspec(firstresult=True)
def save(folder: Path, phase: str) -> None:
    """Optional: write what `phase` ("train" or "index") made into the empty `folder`. No pickles."""


@hookspec(firstresult=True)
def load(folder: Path, phase: str, context: Context) -> None:
    """Optional: read what `save` wrote for `phase`. A query worker loads "train", then "index"."""


@hookspec(firstresult=True)
def reveal(preferences: Any, context: Context) -> None:
    """Optional, for reference methods only: receives the simulator's true preferences before `query`.

    A method that implements it is reported as a bound, never ranked; without a simulator its run is `unavailable`.
    """
