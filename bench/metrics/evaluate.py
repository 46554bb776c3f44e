"""All metrics of a set of answers: a value a request, and the summary with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.analysis.intervals import RESAMPLES, Interval, mean_intervals
from bench.data.ragged import Ragged
from bench.data.tables import Evaluation
from bench.errors import UsageError
from bench.metrics.accuracy import Values, measure_ranks, target_ranks
from bench.metrics.catalog_use import catalog_use
from bench.metrics.facts import Facts
from bench.metrics.groups import HISTORY_GROUPS, POPULARITY_GROUPS, fresh_items, popularity_groups, training_groups
from bench.metrics.novelty import novelty, popularity_percentile

__all__ = ["Facts", "Metric", "catalog_metrics", "evaluate", "summarise"]

# A metric of a plugin: from the answers, int32 [B, k'], and the evaluation to one value a request, NaN for none.
Metric = Callable[[NDArray[np.int32], Evaluation], ArrayLike]

NO_EXTRA: Mapping[str, Metric] = MappingProxyType({})


def summarise(
    ids: NDArray[np.int32],
    targets: Ragged,
    ks: Sequence[int],
    facts: Facts,
    seed: int,
    extra: Mapping[str, Metric] = NO_EXTRA,
    resamples: int = RESAMPLES,
) -> tuple[dict[str, Interval], dict[str, Values]]:
    """Every metric with its 95% interval, {"recall@50": {"value", "low", "high"}}, and what `evaluate` gives.

    A metric that no request has a value for (recall@50/fresh without a fresh target) is left out of the summary.
    """
    values = evaluate(ids, targets, ks, facts, extra)
    summary = mean_intervals(values, seed, resamples, users=facts.users)
    return {**summary, **catalog_use(ids, ks, facts.catalog_size, seed)}, values


def evaluate(
    ids: NDArray[np.int32],
    targets: Ragged,
    ks: Sequence[int],
    facts: Facts,
    extra: Mapping[str, Metric] = NO_EXTRA,
) -> dict[str, Values]:
    """Every metric that has a value a request: name -> float32 [B], NaN where a request has none.

    ids int32 [B, k'] (validated: distinct in a row, inside the catalog, -1 pads); targets Ragged of B rows. For each k
    of `ks`: precision, recall, f1, hit_rate, ndcg, mrr, map; recall@k/head, /torso, /tail, /fresh, /warm, /cold, /new
    over the targets of that group; recall@k/short, /medium, /long of the requests with such a history;
    popularity_percentile; novelty where seen items may be answered. `extra` holds the metrics of plugins,
    under the names they get.

    Raises UsageError where a metric of `extra` has the name of another, fails or does not give one number a request.
    """
    ranks = target_ranks(ids, targets, max(ks, default=0))
    values = measure_ranks(ranks, targets, ks, facts.recall_over)
    values |= _recall_by_target(ranks, targets, ks, facts)
    values |= _recall_by_history(values, ks, facts)
    values |= popularity_percentile(ids, facts.popularity, ks)
    if facts.seen == "answered":
        values |= novelty(ids, facts.history, ks)
    for name, metric in extra.items():
        if name in values:
            raise UsageError(f"a plugin's metric is called {name!r}, as a built-in one is: give it another name")
        values[name] = _extra_values(name, metric, ids, targets, facts)
    return values


def catalog_metrics(ids: NDArray[np.int32], ks: Sequence[int], facts: Facts) -> dict[str, float]:
    """The metrics of the answers as a whole: coverage@k and gini@k; see `catalog_use` for their intervals."""
    return {name: interval["value"] for name, interval in catalog_use(ids, ks, facts.catalog_size, 0).items()}


def _recall_by_target(ranks: NDArray[np.int32], targets: Ragged, ks: Sequence[int], facts: Facts) -> dict[str, Values]:
    group = popularity_groups(facts.popularity)[targets.values]
    masks = {name: group == code for code, name in enumerate(POPULARITY_GROUPS)}
    masks["fresh"] = fresh_items(facts.popularity, facts.first_seen)[targets.values]
    known = training_groups(facts.popularity, facts.training_items)
    masks |= {name: items[targets.values] for name, items in known.items()}
    result: dict[str, Values] = {}
    for name, mask in masks.items():
        measured = measure_ranks(ranks[mask], targets.keep(mask), ks, facts.recall_over)
        result |= {f"recall@{k}/{name}": measured[f"recall@{k}"] for k in ks}
    return result


def _recall_by_history(values: Mapping[str, Values], ks: Sequence[int], facts: Facts) -> dict[str, Values]:
    lengths = facts.history_lengths
    return {
        f"recall@{k}/{name}": np.where(
            (lengths >= least) & (lengths <= most), values[f"recall@{k}"], np.float32(np.nan)
        )
        for k in ks
        for name, (least, most) in HISTORY_GROUPS.items()
    }


def _extra_values(name: str, metric: Metric, ids: NDArray[np.int32], targets: Ragged, facts: Facts) -> Values:
    if facts.requests is None:
        raise UsageError(f"metric {name!r} is a plugin's and reads the requests, but the facts hold none")
    try:
        given: NDArray[Any] = np.asarray(metric(ids, Evaluation(facts.requests, targets)))
    except Exception as error:
        raise UsageError(f"metric {name!r}, a plugin's, failed: {type(error).__name__}: {error}") from error
    if given.shape != (len(ids),) or given.dtype.kind not in "fiub":
        raise UsageError(
            f"metric {name!r} gave {given.dtype} of shape {given.shape}; "
            f"it must give one number a request, shape ({len(ids)},)"
        )
    if np.isinf(given).any():
        raise UsageError(f"metric {name!r} gave an infinite value for request {int(np.argmax(np.isinf(given)))}")
    return given.astype(np.float32)
