"""What the index loses of what the model knows: answers against those of exact search under the same scorer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.intervals import RESAMPLES, mean_intervals, ratio_intervals
from bench.data.ragged import Ragged
from bench.metrics.accuracy import recall
from bench.metrics.evaluate import evaluate
from bench.metrics.facts import Facts
from bench.metrics.groups import training_groups


def oracle_metrics(
    answers: NDArray[np.int32],
    oracle: NDArray[np.int32],
    targets: Ragged,
    ks: Sequence[int],
    facts: Facts,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """The method's answers and the oracle's for the same sample of B requests, int32 [B, k'] each (-1 pads).

    `targets` and `facts` are those of the sample (`facts.take(rows)`). Intervals {"value", "low", "high"} under
      recall@k, ...     of the oracle: all that `evaluate` gives
      answer_recall@k   of the method on the same sample
      index_loss@k      (oracle recall - answer recall) / oracle recall, negative where the index is lucky; also by
                        group; left out where the oracle recalls nothing
      coverage@k        share of the oracle's first k that are among the method's first k; also of those items alone
                        that training met (/warm), did not meet (/cold) or did not know (/new)
    and "sample": B, "same": whether the answers are the oracle's for every request at every k, in whatever order.
    """
    found, reached = evaluate(answers, targets, ks, facts), evaluate(oracle, targets, ks, facts)
    shares = {f"coverage@{k}": oracle_coverage(answers, oracle, k) for k in ks}
    apart = {
        f"coverage@{k}/{name}": oracle_coverage(answers, oracle, k, items)
        for name, items in training_groups(facts.popularity, facts.training_items).items()
        for k in ks
    }
    columns = {**reached, **{f"answer_recall@{k}": found[f"recall@{k}"] for k in ks}, **shares, **apart}
    return {
        **mean_intervals(columns, seed, resamples, users=facts.users),
        **_losses(found, reached, seed, resamples, facts.users),
        "sample": len(answers),
        "same": all(bool(np.nanmin(share, initial=1.0) == 1.0) for share in shares.values()),
    }


def oracle_coverage(
    answers: NDArray[np.int32], oracle: NDArray[np.int32], k: int, items: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Share of the oracle's first k items among the first k answers: float32 [B], NaN where the oracle has none.

    items bool [items]: of the oracle's first k only these count, None for all.
    """
    best = oracle[:, :k]
    present = best >= 0
    if items is not None:
        present &= items[best]
    offsets = np.concatenate([[0], np.cumsum(present.sum(1))]).astype(np.int64)
    return recall(answers, Ragged(offsets, best[present]), k)


def _losses(
    found: dict[str, NDArray[np.float32]],
    reached: dict[str, NDArray[np.float32]],
    seed: int,
    resamples: int,
    users: NDArray[np.int64] | None,
) -> dict[str, Any]:
    names = [name for name, column in reached.items() if name.startswith("recall@") and np.nansum(column) > 0]
    if not names:
        return {}
    oracle = np.nan_to_num(np.stack([reached[name] for name in names], axis=1))  # (B, M)
    answer = np.nan_to_num(np.stack([found[name] for name in names], axis=1))  # (B, M)
    losses = ratio_intervals(oracle - answer, oracle, seed, resamples, users=users)
    return {name.replace("recall", "index_loss"): loss for name, loss in zip(names, losses, strict=True)}
