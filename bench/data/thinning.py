"""A share of a task, for pilots: fewer users to train on and to ask, or fewer vectors to search; the rest as it is."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bench.data.assembly import Assembly, rows_of
from bench.data.evaluations import Asked
from bench.data.ragged import Ragged
from bench.data.tables import Interactions

SEED = (0, 7919)  # protocols draw who is held out by single numbers: the same draw would thin one part alone


def thinned(made: Assembly, share: float) -> Assembly:
    """The assembly with `share` (above 0, below 1) of its users, of those who are asked too; of vectors with so many to
    search, all asked. The catalog of users' items stays whole. A smaller share is a part of a larger one."""
    if not len(made.training):
        return _vectors(made, share)
    users = 1 + max(int(made.training_users.max()), *(int(asked.users.max()) for asked in made.asked.values()))
    drawn = np.random.default_rng(SEED).random(users)
    trained = drawn[made.training_users]
    training, training_users = _training(made, trained <= max(share, trained.min()))
    return dataclasses.replace(
        made,
        training=training,
        training_users=training_users,
        popularity=np.bincount(training.items, minlength=len(made.items)),
        asked={part: _fewer(asked, drawn[asked.users], share) for part, asked in made.asked.items()},
    )


def _training(made: Assembly, kept: NDArray[np.bool_]) -> tuple[Interactions, NDArray[np.int64]]:
    """The interactions of the users kept bool [training users], who are numbered anew."""
    log, rows = made.training, kept[made.training.users]
    lengths = log.by_user.lengths[kept]
    items = log.items[rows]
    fewer = Interactions(
        users=np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        items=items,
        by_user=Ragged(np.concatenate([[0], np.cumsum(lengths)]), items),
        timestamps=None if log.timestamps is None else log.timestamps[rows],
        ratings=None if log.ratings is None else log.ratings[rows],
        behaviours=None if log.behaviours is None else log.behaviours[rows],
    )
    return fewer, made.training_users[kept]


def _fewer(asked: Asked, drawn: NDArray[np.float64], share: float) -> Asked:
    """The requests of the users drawn below the share, one at least."""
    return _rows(asked, np.flatnonzero(drawn <= max(share, drawn.min())), asked.targets)


def _rows(asked: Asked, rows: NDArray[np.int64], targets: Ragged) -> Asked:
    return dataclasses.replace(
        asked,
        users=asked.users[rows],
        keys=asked.keys[rows],
        history=asked.history.take(rows),
        history_times=None if asked.history_times is None else asked.history_times.take(rows),
        times=None if asked.times is None else asked.times[rows],
        exclude=asked.exclude.take(rows),
        targets=targets.take(rows),
        vectors=None if asked.vectors is None else asked.vectors[rows],
    )


def _vectors(made: Assembly, share: float) -> Assembly:
    """Fewer vectors to search. Requests whose neighbours are all gone stay out."""
    kept = np.random.default_rng(SEED).random(len(made.items)) <= share
    for asked in made.asked.values():
        kept[asked.targets.values[:1]] = True  # each part keeps a request
    place = np.cumsum(kept) - 1
    fewer: dict[str, Asked] = {}
    for part, one in made.asked.items():
        near = one.targets.keep(kept[one.targets.values])
        near = Ragged(near.offsets, place[near.values].astype(np.int32))
        fewer[part] = _rows(one, np.flatnonzero(near.lengths > 0), near)
    rows = np.flatnonzero(kept)
    catalog = made.catalog
    return dataclasses.replace(
        made,
        items=np.arange(len(rows)),
        training_items=len(rows),
        catalog=dataclasses.replace(
            catalog,
            size=len(rows),
            features=rows_of(catalog.features, rows),
            vectors=None if catalog.vectors is None else catalog.vectors[rows],
        ),
        popularity=made.popularity[rows],
        asked=fewer,
    )
