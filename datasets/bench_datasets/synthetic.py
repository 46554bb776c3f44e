"""The synthetic data set: a shop of which everything is known, even what each user wants next.

The simulator
-------------
Items.  A catalog of `items`, cut into categories of about `category_items`, ten categories to a department. In a
category the item of rank r is chosen in proportion to 1 / (r + flatness), and a category of rank r in proportion to
1 / (r + category_flatness): Zipf-Mandelbrot popularity on two levels. A share `arriving` of the items appears at a
moment of the two years that the set spans (`first_seen`), the others and the most popular item of each category are
there from the start. What a method may see of an item: department, category, one to three tags (typical of the
category), and a title such as "Cosy lamp 1234".

Users.  A user has a region and an age group, and `interests` categories with weights 64/1 ... 64/8. A quarter of the
interests comes from a department that the region likes, a quarter from one that the age group likes, the rest from
the popularity of categories. The user starts at a random moment and chooses about `length` items (at least 8; the
rest is a product of three uniforms, so a few users are eight times as active), in sessions of five on average, some
minutes from choice to choice and days or weeks from session to session. Each new session, with chance `drift`,
replaces one interest: half the time by a sibling in its department, else by a new one; and it picks one interest,
by weight, as the session's focus.

Choices.  The next item is drawn
- with chance `browsing` by overall popularity: a category, then an item in it;
- with chance `relatedness` from the four items that one of the last four choices leads to; each choice counts half
  of the next newer one. Of an item's related items two lie in its own category, one in a companion category of
  the same department and one in a companion category anywhere: a hash picks them, by popularity;
- else from the session's focus (chance `focus`) or else any of the interests by weight, by popularity in the category.
An item that has not appeared yet or that the user has chosen before is drawn again, from the beginning; a user who
finds nothing in 64 draws leaves for good. So the chance of the next item is the mixture of the three, restricted to
the items that are there and new to the user, exactly: `Preferences.scores` computes it.

Exactness.  All randomness is splitmix64 at counts that only depend on the seed, the user and the step; all weights are
integers. The same parameters give the same data on every machine, whatever the order in which users are made.
Memory: the catalog, and a block of users at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench import Categorical
from bench.data.generated import Batch, Generated
from bench_datasets.synthetic_items import describe_items
from bench_datasets.synthetic_users import live, planned_length, profile
from bench_datasets.synthetic_words import AGE_GROUPS, REGIONS
from bench_datasets.synthetic_world import World, item_ids, make_world, read_parameters

BLOCK = 1 << 17  # interactions of a batch, about


def generate(parameters: Mapping[str, Any]) -> Generated:
    """The set of these parameters (see `Parameters`; texts are converted). Raises ParameterError, UnknownName."""
    settings = read_parameters(parameters)
    world, ids = make_world(settings), item_ids(settings)
    users = max(1, settings.interactions // settings.length)
    regions, ages = _profiles(world, users)
    return Generated(
        items=describe_items(world, ids, settings.seed),
        profiles={"region": Categorical(regions, REGIONS), "age_group": Categorical(ages, AGE_GROUPS)},
        users=users,
        batches=_batches(world, ids, users),
        preferences="bench_datasets.synthetic_preferences:Preferences",
        label="title",
    )


def _batches(world: World, ids: NDArray[np.int32], users: int) -> Iterator[Batch]:
    """(users, items, timestamps) of a block of users each, sorted by user, then time."""
    block = max(1, BLOCK // world.length)
    for first in range(0, users, block):
        offsets = _offsets(world, first, min(block, users - first))
        positions, times = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int64)
        live(world, first, offsets, positions, times)
        numbers = np.repeat(np.arange(first, first + len(offsets) - 1, dtype=np.int32), np.diff(offsets))
        made = positions >= 0
        yield numbers[made], ids[positions[made]], times[made]


@njit(cache=True, nogil=True)
def _offsets(world: Any, first: Any, users: Any) -> Any:
    """int64 [users + 1]: the sums of the planned lengths."""
    offsets = np.zeros(users + 1, np.int64)
    for row in range(users):
        offsets[row + 1] = offsets[row] + planned_length(world, first + row)
    return offsets


@njit(cache=True, nogil=True)
def _profiles(world: Any, users: Any) -> Any:
    """The region and the age group of each user, int32 [users] each."""
    regions, ages = np.empty(users, np.int32), np.empty(users, np.int32)
    for user in range(users):
        regions[user], ages[user] = profile(world.user_key, user)
    return regions, ages
