"""The synthetic world: its parameters, and the tables that items and users are drawn from.

Items stand in an order of their own, by category and in it by rank of popularity: their `position`. The id that the
data set shows is a random permutation of it, so an id says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.params import build, param
from bench_datasets.synthetic_random import ONE, below, below_again, bits_at, permutation, pick, stream
from bench_datasets.synthetic_users import AGE_GROUPS, DEPARTMENT, PERIOD, REGIONS, START

SCALE = 1 << 24  # Zipf weights are SCALE // (rank + flatness): integers whose sums stay under 2**32
TASTES = 2  # departments that a region, and that an age group, likes

# What each stream of a seed is for.
LAYOUT, RANKS, IDS, ARRIVALS, RELATIONS, COMPANIONS, TASTE, USERS, TITLES, TAGGING = range(10)


@dataclass(frozen=True)
class Parameters:
    """The settings of the synthetic set, as its card and `synthetic:items=1000,seed=3` name them."""

    items: int = param(20_000, help="items in the catalog", low=1, high=1 << 30)
    interactions: int = param(
        500_000, help="interactions expected; users = interactions / length", low=1, high=(1 << 31) - 1
    )
    seed: int = param(0, help="another seed is another world", low=0)
    length: int = param(80, help="mean interactions of a user", low=1, high=100_000)
    interests: int = param(4, help="categories that a user is interested in at a time", low=1, high=64)
    drift: float = param(0.5, help="chance that a new session replaces an interest", low=0, high=1)
    focus: float = param(0.9, help="chance that a choice by interest keeps to the session's focus", low=0, high=1)
    relatedness: float = param(0.15, help="chance that a choice is led by one of the last items", low=0, high=1)
    browsing: float = param(0.06, help="chance that a choice is by popularity alone", low=0, high=1)
    flatness: int = param(4, help="item popularity in a category is 1 / (rank + flatness)", low=1)
    category_flatness: int = param(20, help="category popularity is 1 / (rank + category_flatness)", low=1)
    category_items: int = param(100, help="mean items of a category", low=4)
    arriving: float = param(0.25, help="share of the items that appear during the two years, not before", low=0, high=1)


class World(NamedTuple):
    """What the kernels read. C categories, cumulative weights int64 from 0."""

    user_key: Any  # uint64
    relation_key: Any  # uint64
    category_start: NDArray[np.int64]  # [C + 1] positions
    category_weight: NDArray[np.int64]  # [C + 1] cumulative popularity
    rank_weight: NDArray[np.int64]  # [largest category + 1] cumulative popularity of the ranks in any category
    companions: NDArray[np.int64]  # [C, 2] categories that a category's items lead to: a sibling, any
    tastes: NDArray[np.int64]  # [regions + age groups, TASTES] departments
    first_seen: NDArray[np.int64]  # [items] by position
    interests: int
    length: int
    drift: int  # probabilities on the scale of ONE, from here on
    focus: int
    relatedness: int
    browsing: int


def read_parameters(values: Mapping[str, Any]) -> Parameters:
    """The parameters with `values` (texts are converted) in place of defaults; raises ParameterError, UnknownName."""
    parameters: Parameters = build(Parameters, values)
    return parameters


def make_world(parameters: Parameters) -> World:
    """The tables of the world, 8 bytes an item."""
    seed = parameters.seed
    start = _category_starts(
        stream(seed, LAYOUT), parameters.items, max(1, parameters.items // parameters.category_items)
    )
    ranks = permutation(stream(seed, RANKS), len(start) - 1)
    weight = _cumulative(SCALE // (ranks.astype(np.int64) + parameters.category_flatness))
    largest = int(np.diff(start).max())
    return World(
        user_key=stream(seed, USERS),
        relation_key=stream(seed, RELATIONS),
        category_start=start,
        category_weight=weight,
        rank_weight=_cumulative(SCALE // (np.arange(largest, dtype=np.int64) + parameters.flatness)),
        companions=_companions(stream(seed, COMPANIONS), len(weight) - 1, DEPARTMENT),
        tastes=_tastes(stream(seed, TASTE), weight, REGIONS + AGE_GROUPS, DEPARTMENT),
        first_seen=_arrivals(stream(seed, ARRIVALS), start, int(parameters.arriving * ONE), START, PERIOD),
        interests=parameters.interests,
        length=parameters.length,
        drift=int(parameters.drift * ONE),
        focus=int(parameters.focus * ONE),
        relatedness=int(parameters.relatedness * ONE),
        browsing=int(parameters.browsing * ONE),
    )


def item_ids(parameters: Parameters) -> NDArray[np.int32]:
    """The id at each position, int32 [items]."""
    ids: NDArray[np.int32] = permutation(stream(parameters.seed, IDS), parameters.items)
    return ids


@njit(cache=True)
def _category_starts(key: Any, items: Any, categories: Any) -> Any:
    """int64 [C + 1]: positions cut into categories of half to one and a half times the mean size."""
    weight = np.zeros(categories + 1, np.int64)
    for category in range(categories):
        weight[category + 1] = weight[category] + 50 + below(bits_at(key, category), 101)
    start = np.zeros(categories + 1, np.int64)
    for category in range(1, categories + 1):
        start[category] = items * weight[category] // weight[categories]
    return start


@njit(cache=True)
def _companions(key: Any, categories: Any, department: Any) -> Any:
    """int64 [categories, 2]: another category of the same department (where there is one), and any category."""
    companions = np.zeros((categories, 2), np.int64)
    for category in range(categories):
        bits = bits_at(key, category)
        low = category // department * department
        siblings = min(categories - low, department)
        companions[category, 0] = low + (category - low + 1 + below(bits, max(1, siblings - 1))) % siblings
        companions[category, 1] = below_again(bits, categories)
    return companions


@njit(cache=True)
def _tastes(key: Any, weight: Any, groups: Any, department: Any) -> Any:
    """int64 [groups, TASTES]: departments, by popularity."""
    tastes = np.zeros((groups, TASTES), np.int64)
    for group in range(groups):
        for taste in range(TASTES):
            category = pick(weight, 0, len(weight) - 1, bits_at(key, group * TASTES + taste))
            tastes[group, taste] = category // department
    return tastes


@njit(cache=True)
def _arrivals(key: Any, category_start: Any, arriving: Any, start: Any, period: Any) -> Any:
    """int64 [items]: when the item of each position appears; the most popular of a category is always there."""
    first_seen = np.full(category_start[-1], start, np.int64)
    for position in range(len(first_seen)):
        bits = bits_at(key, position)
        if below(bits, ONE) < arriving:
            first_seen[position] = start + 1 + below_again(bits, period - 1)
    for position in category_start[:-1]:
        first_seen[position] = start
    return first_seen


def _cumulative(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(weights, dtype=np.int64)])
