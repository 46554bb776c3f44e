"""The synthetic users, one at a time: who they are, how their interests drift, and what they choose.

Everything that does not depend on choices (profile, interests, sessions, times) is a user's *life* and can be lived
again to any step from the seed and the user's number alone; that is what makes the choice probabilities known.

All kernels that call one another stand in this file (but for `synthetic_random`, which never changes): numba's cache
sees a change of the file that a compiled function stands in, not of those that it calls.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from bench_datasets.synthetic_random import ONE, U, below, below_again, bits_at, mixed, pick

START = 1_640_995_200  # 2022-01-01 00:00 UTC
PERIOD = 2 * 365 * 86_400  # seconds that items and users appear in
REGIONS, AGE_GROUPS = 8, 6  # numbers of them
DEPARTMENT = 10  # categories of a department, in order
SESSION = 8  # mean choices of a session
TRIES = 64  # draws for one choice before the user leaves for good
SHORTEST = 8  # a user's fewest planned choices, unless the mean is less
RELATED = 8  # items that each item leads to
RECENT = 4  # last items that can lead on, the newest weighing most
CLOCK, FOCUS, PAUSE = range(3)  # in Life.state: seconds; the slot of the session's interest; the longest pause
KEY_SHIFT = 24  # requests.keys: user << 24 | number of the user's earlier interactions


class Life(NamedTuple):
    """A user at a step. `interests` slots, each a category and how much it counts."""

    state: Any  # int64 [3]
    categories: Any  # int64 [interests]
    weights: Any  # int64 [interests]


@njit(cache=True, nogil=True)
def profiles(world: Any, users: Any) -> Any:
    """The region and the age group of each user, int32 [users] each."""
    regions, ages = np.empty(users, np.int32), np.empty(users, np.int32)
    for user in range(users):
        regions[user], ages[user] = _profile(world, user)
    return regions, ages


@njit(cache=True, nogil=True)
def plan(world: Any, first: Any, users: Any) -> Any:
    """int64 [users + 1]: the sums of the lengths that the users first, first + 1, ... plan."""
    offsets = np.zeros(users + 1, np.int64)
    for row in range(users):
        offsets[row + 1] = offsets[row] + _planned_length(world, first + row)
    return offsets


@njit(cache=True, nogil=True)
def live(world: Any, first: Any, offsets: Any, items: Any, times: Any) -> None:
    """Choices of the users first, first + 1, ...: positions and seconds into items, times [offsets[-1]].

    offsets int64 [users + 1]: from `plan`. A user who finds nothing new in TRIES draws leaves: the rest is -1.
    """
    size = 4
    while size < 2 * np.diff(offsets).max():
        size *= 2
    taken = np.full(size, -1, np.int64)  # open addressing: row * 2**32 + position
    life = _life(world)
    for row in range(len(offsets) - 1):
        user, begun = first + row, offsets[row]
        chosen = items[begun : offsets[row + 1]]
        chosen[:] = -1
        key = _begin(world, user, len(chosen), life)
        choices = mixed(key)
        for step in range(len(chosen)):
            if step > 0:
                _advance(world, user, key, step, life)
            times[begun + step] = life.state[CLOCK]
            for attempt in range(TRIES):
                position = _propose(world, choices, 3 * (step * TRIES + attempt), life, chosen, step)
                if world.first_seen[position] <= life.state[CLOCK] and _add(taken, row, position):
                    chosen[step] = position
                    break
            if chosen[step] < 0 and step == 0:  # nobody leaves without a choice: the most popular item is always there
                chosen[step] = world.category_start[life.categories[life.state[FOCUS]]]
                _add(taken, row, chosen[step])
            if chosen[step] < 0:
                break


@njit(cache=True, nogil=True)
def relive(world: Any, keys: Any) -> Any:
    """The users of requests, before their next choice; keys int64 [B].

    (moments int64 [B], categories int64 [B, interests], chances float64 [B, interests]): the second of the next choice,
    and with which chance a choice by interest falls into each category.
    """
    moments = np.empty(len(keys), np.int64)
    categories = np.empty((len(keys), world.interests), np.int64)
    chances = np.empty((len(keys), world.interests))
    life = _life(world)
    for row in range(len(keys)):
        user = keys[row] >> KEY_SHIFT
        key = _begin(world, user, _planned_length(world, user), life)
        for step in range(1, (keys[row] & ((1 << KEY_SHIFT) - 1)) + 1):
            _advance(world, user, key, step, life)
        moments[row], categories[row] = life.state[CLOCK], life.categories
        chances[row] = (ONE - world.focus) / ONE * life.weights / life.weights.sum()
        chances[row, life.state[FOCUS]] += world.focus / ONE
    return moments, categories, chances


@njit(cache=True, nogil=True)
def leads(world: Any, offsets: Any, history: Any) -> Any:
    """Where the last items of requests lead; offsets int64 [B + 1] and history: positions, oldest first.

    (positions int64 [B, RECENT * RELATED], -1 pads; chances float64 of the same shape, of sum 1 a row with history).
    """
    positions = np.full((len(offsets) - 1, RECENT * RELATED), -1, np.int64)
    chances = np.zeros(positions.shape)
    for row in range(len(positions)):
        known = min(RECENT, offsets[row + 1] - offsets[row])
        for back in range(known):
            for which in range(RELATED):
                at = back * RELATED + which
                positions[row, at] = _related(world, history[offsets[row + 1] - 1 - back], which)
                chances[row, at] = (1 << (known - 1 - back)) / (RELATED * ((1 << known) - 1))
    return positions, chances


@njit(cache=True, nogil=True)
def _life(world: Any) -> Any:
    return Life(np.zeros(3, np.int64), np.zeros(world.interests, np.int64), np.zeros(world.interests, np.int64))


@njit(cache=True, nogil=True)
def _profile(world: Any, user: Any) -> Any:
    bits = mixed(bits_at(world.user_key, user))
    return below(bits, REGIONS), below_again(bits, AGE_GROUPS)


@njit(cache=True, nogil=True)
def _planned_length(world: Any, user: Any) -> Any:
    """How many choices the user means to make: the fewest and a skewed rest (a product of three uniforms)."""
    key = bits_at(world.user_key, user)
    fewest = min(SHORTEST, (world.length + 1) // 2)
    first, second = bits_at(key, 1), bits_at(key, 2)
    share = below(second, below(first, below_again(first, ONE)))  # of ONE; its mean is ONE / 8
    return fewest + ((8 * (world.length - fewest) * share + (ONE >> 1)) >> 32)


@njit(cache=True, nogil=True)
def _begin(world: Any, user: Any, length: Any, life: Any) -> Any:
    """Set `life` to the user's first step; the key of the life's stream."""
    key = mixed(bits_at(world.user_key, user) + U(1))
    for slot in range(world.interests):
        life.categories[slot] = _new_interest(world, user, key, 4 + 3 * slot)
        life.weights[slot] = _interest_weight(bits_at(key, 6 + 3 * slot))
    begin = START + below(bits_at(key, 0), PERIOD // 20 * 19)
    active = (START + PERIOD - begin) * (8 + below(bits_at(key, 1), 24)) // 64  # an eighth to a half of what is left
    life.state[CLOCK] = begin
    life.state[PAUSE] = 1 + 2 * active // (1 + length // SESSION)
    life.state[FOCUS] = _pick_slot(life.weights, bits_at(key, 2))
    return mixed(key)


@njit(cache=True, nogil=True)
def _advance(world: Any, user: Any, key: Any, step: Any, life: Any) -> None:
    """Live from step - 1 to `step` (from 1): time passes, and at a new session interests may drift."""
    bits, count = bits_at(key, 8 * step), 8 * step + 1
    if below(bits, SESSION) > 0:
        life.state[CLOCK] += 15 + below_again(bits, 600)
        return
    life.state[CLOCK] += 600 + below_again(bits, life.state[PAUSE])
    change, where = bits_at(key, count), bits_at(key, count + 1)
    if below(change, ONE) < world.drift:
        slot = below_again(change, world.interests)
        if below_again(where, 2) == 0:
            life.categories[slot] = _pick_in_department(world, life.categories[slot] // DEPARTMENT, where)
        else:
            life.categories[slot] = _new_interest(world, user, key, count + 2)
        life.weights[slot] = _interest_weight(bits_at(key, count + 4))
    life.state[FOCUS] = _pick_slot(life.weights, bits_at(key, count + 5))


@njit(cache=True, nogil=True)
def _new_interest(world: Any, user: Any, key: Any, count: Any) -> Any:
    """A category: by the taste of the user's region (1 in 4) or age group (1 in 4), or by popularity."""
    bits, kind = bits_at(key, count), bits_at(key, count + 1)
    group = below(kind, 4)
    if group >= 2:
        return pick(world.category_weight, 0, len(world.category_weight) - 1, bits)
    region, age = _profile(world, user)
    tastes = world.tastes[region if group == 0 else REGIONS + age]
    return _pick_in_department(world, tastes[below_again(kind, len(tastes))], bits)


@njit(cache=True, nogil=True)
def _interest_weight(bits: Any) -> Any:
    """How much an interest counts: 64 // 1 .. 64 // 8."""
    return 64 // (1 + below(bits, 8))


@njit(cache=True, nogil=True)
def _pick_slot(weights: Any, bits: Any) -> Any:
    """One of a user's interests, by weight."""
    mark, slot = below(bits, weights.sum()), 0
    while mark >= weights[slot]:
        mark -= weights[slot]
        slot += 1
    return slot


@njit(cache=True, nogil=True)
def _propose(world: Any, key: Any, count: Any, life: Any, chosen: Any, made: Any) -> Any:
    """A position drawn from the user's preferences, alive and new or not; chosen[:made] are the choices so far."""
    route, bits, way = bits_at(key, count), bits_at(key, count + 1), bits_at(key, count + 2)
    mark = below(route, ONE)
    if mark < world.browsing:
        return _pick_item(world, pick(world.category_weight, 0, len(world.category_weight) - 1, way), bits)
    if mark < world.browsing + world.relatedness and made > 0:
        known, back = min(made, RECENT), 0
        halving = below(way, (1 << known) - 1)
        while halving >= 1 << (known - 1 - back):  # each of the last items weighs half of the next newer one
            halving -= 1 << (known - 1 - back)
            back += 1
        return _related(world, chosen[made - 1 - back], below_again(way, RELATED))
    slot = life.state[FOCUS] if below_again(route, ONE) < world.focus else _pick_slot(life.weights, way)
    return _pick_item(world, life.categories[slot], bits)


@njit(cache=True, nogil=True)
def _pick_in_department(world: Any, department: Any, bits: Any) -> Any:
    """A category of the department by popularity."""
    low = department * DEPARTMENT
    return pick(world.category_weight, low, min(low + DEPARTMENT, len(world.category_weight) - 1), bits)


@njit(cache=True, nogil=True)
def _pick_item(world: Any, category: Any, bits: Any) -> Any:
    """The position of an item of the category by popularity."""
    low = world.category_start[category]
    return low + pick(world.rank_weight, 0, world.category_start[category + 1] - low, bits)


@njit(cache=True, nogil=True)
def _related(world: Any, position: Any, which: Any) -> Any:
    """The position of the related item number `which` (of RELATED) of an item: no table, the hash decides.

    Half lie in the item's own category, a quarter in each of the category's two companions.
    """
    category = np.searchsorted(world.category_start, position, side="right") - 1
    if which >= RELATED // 2:
        category = world.companions[category, which % 2]
    return _pick_item(world, category, bits_at(world.relation_key, position * RELATED + which))


@njit(cache=True, nogil=True)
def _add(taken: Any, row: Any, position: Any) -> Any:
    """Note that the row's user has chosen the position; False where that was so already."""
    entry, mask = (row << 32) + position, len(taken) - 1
    at = np.int64(mixed(U(position)) & U(mask))
    while taken[at] >> 32 == row:
        if taken[at] == entry:
            return False
        at = (at + 1) & mask
    taken[at] = entry
    return True
