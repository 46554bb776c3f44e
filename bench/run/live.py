"""What the index was built over, what is asked of it, and what changed between the two."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.ragged import Ragged
from bench.data.tables import Catalog
from bench.data.task import Task
from bench.errors import Unavailable
from bench.run.plan import Live

STREAM = 6  # of the seed: which items leave


@dataclass(frozen=True, slots=True)
class Change:
    """The catalog that `index` is given, the one that is asked, and the items between them.

    added int32 [A], sorted: may be answered now and could not before; removed int32 [R], sorted: may no longer be. In
    an ordinary run both catalogs are the query catalog and nothing changes.
    """

    before: Catalog
    after: Catalog
    added: NDArray[np.int32]
    removed: NDArray[np.int32]

    def without_removed(self, targets: Ragged) -> Ragged:
        """The targets that are still there; a request may be left with none."""
        if not len(self.removed):
            return targets
        gone = np.zeros(self.after.size, np.bool_)
        gone[self.removed] = True
        return targets.keep(~gone[targets.values])


def change(task: Task, live: Live | None, seed: int) -> Change:
    """The catalogs of a run on `task`, `live` or (None) ordinary.

    A live run's index is built over the training catalog; then come the items that are new in the query catalog, and a
    share of the others leaves, drawn by the seed alone. Raises Unavailable where nothing would change.
    """
    catalog = task.catalog()
    if live is None:
        none = np.zeros(0, np.int32)
        return Change(catalog, catalog, none, none)
    before = task.training_catalog()
    candidates, old = catalog.candidates(), before.candidates()
    leaving = np.random.default_rng([seed, STREAM]).random(len(old)).argsort(kind="stable")
    removed = np.sort(old[leaving[: round(live.remove * len(old))]]).astype(np.int32)
    added = candidates[candidates >= before.size].astype(np.int32)
    if not len(added) and not len(removed):
        raise Unavailable(
            f"every item of {task.about['dataset']} was known in training, so --live would change nothing; ask for "
            f"--protocol temporal, whose later items are new, or let items leave with --remove 0.1"
        )
    after = catalog
    if len(removed):
        after = dataclasses.replace(catalog, eligible=np.setdiff1d(candidates, removed, assume_unique=True))
    return Change(before, after, added, removed)
