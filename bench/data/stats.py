"""The size and shape of a data set, for `bench data stats` and for pages about it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.dataset import Dataset
from bench.data.tables import Categorical, Feature, MultiCategorical, Numeric

_QUANTILES = {"min": 0.0, "p10": 0.1, "median": 0.5, "mean": None, "p90": 0.9, "p99": 0.99, "max": 1.0}


def stats(dataset: Dataset) -> dict[str, Any]:
    """Counts, density, lengths of histories, concentration of popularity, time span and a summary of each feature.

    popularity_gini: 0 when every item of the catalog is equally popular, 1 when one item has everything; head_share:
    share of the interactions that the most popular 1% (10%) of the items have; span_days: None without times in
    seconds.
    """
    log = dataset.interactions
    popularity = np.bincount(log.items, minlength=dataset.catalog.size)
    dated = dataset.time == "seconds" and log.timestamps is not None and len(log) > 0
    return {
        "users": dataset.users,
        "items": dataset.catalog.size,
        "items_with_interactions": int((popularity > 0).sum()),
        "interactions": len(log),
        "density": len(log) / max(1, dataset.users * dataset.catalog.size),
        "history_length": quantiles(log.by_user.lengths),
        "item_popularity": quantiles(popularity),
        "popularity_gini": gini(popularity),
        "head_share": {"1%": head_share(popularity, 0.01), "10%": head_share(popularity, 0.1)},
        "span_days": float((log.timestamps.max() - log.timestamps.min()) / 86_400) if dated else None,  # type: ignore[union-attr]
        "behaviours": behaviours(dataset),
        "item_features": {name: summary(feature) for name, feature in dataset.catalog.features.items()},
        "user_features": {name: summary(feature) for name, feature in dataset.profiles.items()},
    }


def quantiles(values: NDArray[np.integer[Any]]) -> dict[str, float]:
    """min, p10, median, mean, p90, p99 and max; empty for no values."""
    if not len(values):
        return {}
    return {
        name: float(np.mean(values) if share is None else np.quantile(values, share))
        for name, share in _QUANTILES.items()
    }


def gini(counts: NDArray[np.integer[Any]]) -> float:
    """Gini coefficient of counts [n]: 0 for equal counts, (n - 1) / n when one has everything; 0 for none."""
    ordered = np.sort(counts).astype(np.float64)
    size, total = len(ordered), ordered.sum()
    if not total:
        return 0.0
    ranks = np.arange(1, size + 1)
    return float((2 * (ranks * ordered).sum() / total - size - 1) / size)


def head_share(counts: NDArray[np.integer[Any]], share: float) -> float:
    """Share of the total that the largest `share` of the counts (at least one) hold."""
    head = max(1, round(share * len(counts)))
    return float(np.sort(counts)[::-1][:head].sum() / max(1, counts.sum()))


def behaviours(dataset: Dataset) -> dict[str, int]:
    """Interactions of each behaviour."""
    if dataset.interactions.behaviours is None:
        return {}
    counts = np.bincount(dataset.interactions.behaviours, minlength=len(dataset.behaviours))
    return dict(zip(dataset.behaviours, counts.tolist(), strict=True))


def summary(feature: Feature) -> dict[str, Any]:
    """Kind, share of missing values and what the values are like."""
    found: dict[str, Any] = {"kind": type(feature).__name__, "missing": missing_share(feature)}
    if isinstance(feature, Categorical | MultiCategorical):
        values = feature.codes if isinstance(feature, Categorical) else feature.codes.values
        found["values"] = len(feature.names)
        if len(feature.names):
            counts = np.bincount(values[values >= 0], minlength=len(feature.names))
            top = np.argsort(-counts, kind="stable")[:3]
            found["most_common"] = {feature.names[int(code)]: int(counts[code]) for code in top}
        if isinstance(feature, MultiCategorical):
            found["mean_values_a_row"] = len(values) / max(1, len(feature))
    elif isinstance(feature, Numeric) and not np.isnan(feature.values).all():
        known = feature.values[~np.isnan(feature.values)]
        found |= {"min": float(known.min()), "mean": float(known.mean()), "max": float(known.max())}
    return found


def missing_share(feature: Feature) -> float:
    """Share of the rows without a value."""
    if not len(feature):
        return 0.0
    if isinstance(feature, Categorical):
        return float((feature.codes < 0).mean())
    if isinstance(feature, MultiCategorical):
        return float((feature.codes.lengths == 0).mean())
    if isinstance(feature, Numeric):
        return float(np.isnan(feature.values).mean())
    offsets = getattr(feature.values, "offsets", None)
    if offsets is not None:
        return float((np.diff(offsets) == 0).mean())
    return sum(not str(text) for text in feature.values) / len(feature)
