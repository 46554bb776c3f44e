"""The names of the built-in metrics, for people: what each says and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class Description:
    """meaning: one sentence; better: "more" or "less", None where neither is."""

    meaning: str
    better: Literal["more", "less"] | None


METRICS: Mapping[str, Description] = MappingProxyType(
    {
        "recall": Description("share of the targets that are among the first k answers", "more"),
        "precision": Description("targets among the first k answers, divided by k", "more"),
        "f1": Description("harmonic mean of precision and recall", "more"),
        "hit_rate": Description("share of requests with a target among the first k answers", "more"),
        "ndcg": Description("targets found, early ones worth more, against the ideal order", "more"),
        "mrr": Description("1 / rank of the first target, 0 where none is among the first k answers", "more"),
        "map": Description("mean of the precision at the rank of each target", "more"),
        "novelty": Description("share of the first k answers that the user has not met (unfiltered runs)", "more"),
        "coverage": Description("share of the catalog that is answered to anyone within the first k", "more"),
        "gini": Description("how unevenly items are answered: 0 all equally often, 1 one alone", "less"),
        "popularity_percentile": Description("share of the catalog less popular than an answer, on average", None),
    }
)

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "head": "targets among the most popular items, which hold a third of the training interactions",
        "torso": "targets among the next most popular items, up to two thirds of the training interactions",
        "tail": "targets among all other items",
        "fresh": "targets without a training interaction, or first seen in the last tenth of the training period",
        "warm": "targets with a training interaction",
        "cold": "targets without a training interaction",
        "new": "targets beyond the training catalog: items that appeared after training ended",
        "short": "requests with at most 10 interactions in the history",
        "medium": "requests with 11 to 50 interactions in the history",
        "long": "requests with more than 50 interactions in the history",
    }
)


def describe(name: str) -> Description | None:
    """The description of a reported metric, as "recall@50/head"; None for one that is not built in."""
    metric, _, group = name.partition("/")
    found = METRICS.get(metric.partition("@")[0])
    if found is None or not group:
        return found
    return Description(f"{found.meaning}; {GROUPS[group]}", found.better) if group in GROUPS else None
