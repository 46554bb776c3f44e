"""What a reader should know of the data before believing a number: counted in every run and by `bench data audit`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.dataset import Dataset
from bench.data.ragged import Ragged
from bench.data.stats import missing_share
from bench.data.tables import Interactions


def audit(dataset: Dataset) -> dict[str, Any]:
    """Counts over a whole data set, by name.

    repeated_interactions: rows whose user met the item in an earlier row; tied_share: share of a user's neighbouring
    rows that have equal timestamps (None without time); unsorted_rows: rows of the source that stand behind a later
    one of their user; missing: share of the rows without a value, by feature.
    """
    log = dataset.interactions
    per_user, per_item = log.by_user.lengths, np.bincount(log.items, minlength=dataset.catalog.size)
    return {
        "interactions": len(log),
        "dropped": dict(dataset.dropped),
        "repeated_interactions": repeated(log),
        "unsorted_rows": dataset.unsorted,
        "tied_share": tied_share(log),
        "time": dataset.time,
        "first_time": None if log.timestamps is None else int(log.timestamps.min()),
        "last_time": None if log.timestamps is None else int(log.timestamps.max()),
        "rows_before_1980": 0 if dataset.time != "seconds" or log.timestamps is None else _before_1980(log.timestamps),
        "users_with_one_interaction": int((per_user == 1).sum()),
        "items_with_one_interaction": int((per_item == 1).sum()),
        "items_without_interaction": int((per_item == 0).sum()),
        "items_not_described": int((~dataset.described).sum()),
        "missing": {
            **{f"item {name}": missing_share(feature) for name, feature in dataset.catalog.features.items()},
            **{f"user {name}": missing_share(feature) for name, feature in dataset.profiles.items()},
        },
    }


def audit_task(
    training: Interactions,
    history: Ragged,
    targets: Ragged,
    request_times: NDArray[np.int64] | None,
    training_items_seen: NDArray[np.bool_],
    users_trained: NDArray[np.bool_],
) -> dict[str, Any]:
    """Counts over a split.

    history, targets: ragged items of the test requests; request_times int64 [requests]; training_items_seen bool
    [items]: the item has a training interaction; users_trained bool [requests]: the user has one.
    training_after_request: training interactions later than the first test request; requests_before_last_training: test
    requests earlier than the last training interaction (None without time).
    """
    late = early = None
    if training.timestamps is not None and request_times is not None and len(request_times) and len(training):
        late = int((training.timestamps > request_times.min()).sum())
        early = int((request_times < training.timestamps.max()).sum())
    width = np.int64(len(training_items_seen))
    asked = targets.rows() * width + targets.values  # one key a (request, item)
    met = history.rows() * width + history.values
    only_test = np.zeros(width, np.bool_)
    only_test[targets.values] = True
    only_test[history.values] = True
    only_test &= ~training_items_seen
    return {
        "targets": len(asked),
        "repeated_targets": len(asked) - len(np.unique(asked)),
        "targets_in_history": int(np.isin(asked, met).sum()),
        "targets_without_training": int((~training_items_seen[targets.values]).sum()),
        "items_only_in_test": int(only_test.sum()),
        "users_only_in_test": int((~users_trained).sum()),  # a user asks one request
        "requests_without_history": int((history.lengths == 0).sum()),
        "training_after_request": late,
        "requests_before_last_training": early,
        "repeated_training_interactions": repeated(training),
        "training_tied_share": tied_share(training),
    }


def repeated(log: Interactions) -> int:
    """Rows whose user met the item in an earlier row."""
    if not len(log):
        return 0
    keys = log.users.astype(np.int64) * (int(log.items.max()) + 1) + log.items
    keys.sort()
    return int((keys[1:] == keys[:-1]).sum())


def tied_share(log: Interactions) -> float | None:
    """Share of a user's neighbouring rows that have equal timestamps; None without time or neighbours."""
    if log.timestamps is None:
        return None
    neighbours = log.users[1:] == log.users[:-1]
    ties = neighbours & (log.timestamps[1:] == log.timestamps[:-1])
    return float(ties.sum() / neighbours.sum()) if neighbours.any() else None


def _before_1980(timestamps: NDArray[np.int64]) -> int:
    return int((timestamps < 315_532_800).sum())
