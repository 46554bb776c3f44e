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
rest is a product of three uniforms, so a few users are several times as active), in sessions of eight on average:
minutes from choice to choice, days or weeks from session to session. Each new session, with chance `drift`, replaces
one interest, half the time by a sibling in its department, else by a new one; and it picks one interest, by weight,
as the session's focus.

Choices.  The next item is drawn
- with chance `browsing` by overall popularity: a category, then an item in it;
- with chance `relatedness` from the eight items that one of the last four choices leads to, each choice counting half
  of the next newer one. Of an item's related items four lie in its own category, two in its category's companion in
  the same department and two in its category's companion anywhere: a hash picks them, by popularity;
- else from the session's focus (chance `focus`) or any of the interests by weight, by popularity in the category.
An item that has not appeared yet or that the user has chosen before is drawn again, from the beginning; a user who
finds nothing in 64 draws leaves for good. So the chance of the next item is the mixture of the three, restricted to
the items that are there and new to the user, exactly: `Preferences.scores` computes it.

Exactness.  All randomness is splitmix64 at counts that only depend on the seed, the user and the step; all weights are
integers. The same parameters give the same data on every machine, whatever the order in which users are made.
Memory: the catalog (under 200 bytes an item), 8 bytes a user, and a block of users' choices at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import Categorical
from bench.data.generated import Batch, Generated
from bench_datasets.synthetic_items import describe_items
from bench_datasets.synthetic_users import live, plan, profiles
from bench_datasets.synthetic_words import AGE_GROUPS, REGIONS
from bench_datasets.synthetic_world import World, item_ids, make_world, read_parameters

BLOCK = 1 << 17  # interactions of a batch, about


def generate(parameters: Mapping[str, Any]) -> Generated:
    """The set of these parameters (see `Parameters`; texts are converted). Raises ParameterError, UnknownName."""
    settings = read_parameters(parameters)
    world, ids = make_world(settings), item_ids(settings)
    users = max(1, settings.interactions // settings.length)
    regions, ages = profiles(world, users)
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
        offsets = plan(world, first, min(block, users - first))
        positions, times = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int64)
        live(world, first, offsets, positions, times)
        numbers = np.repeat(np.arange(first, first + len(offsets) - 1, dtype=np.int32), np.diff(offsets))
        made = positions >= 0
        yield numbers[made], ids[positions[made]], times[made]
