"""The synthetic users, one at a time: who they are, how their interests drift, and what they choose.

Everything that does not depend on choices (profile, interests, sessions, times) is a user's *life* and can be lived
again to any step from the seed and the user's number alone; that is what makes the choice probabilities known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from bench_datasets.synthetic_random import U, below, below_again, bits_at, mixed, pick
from bench_datasets.synthetic_words import AGE_GROUPS, REGIONS
from bench_datasets.synthetic_world import (
    ONE,
    PERIOD,
    RECENT,
    RELATED,
    START,
    TASTES,
    department_of,
    pick_in_department,
    pick_item,
    related,
)

SESSION = 5  # mean choices of a session
TRIES = 64  # draws for one choice before the user leaves for good
SHORTEST = 8  # a user's fewest choices, unless the mean is less
REGION_COUNT, AGE_COUNT = len(REGIONS), len(AGE_GROUPS)
CLOCK, FOCUS, PAUSE = range(3)  # a life's state: seconds; the slot of the session's interest; longest pause


@njit(cache=True, nogil=True)
def profile(user_key: Any, user: Any) -> Any:
    """(region, age group) of a user."""
    bits = mixed(bits_at(user_key, user))
    return below(bits, REGION_COUNT), below_again(bits, AGE_COUNT)


@njit(cache=True, nogil=True)
def planned_length(world: Any, user: Any) -> Any:
    """How many choices the user means to make: the shortest and a skewed rest (a product of three uniforms)."""
    key = bits_at(world.user_key, user)
    least = min(SHORTEST, (world.length + 1) // 2)
    first, second = bits_at(key, 1), bits_at(key, 2)
    share = below(second, below(first, below_again(first, ONE)))  # of ONE; its mean is ONE / 8
    return least + ((8 * (world.length - least) * share + (ONE >> 1)) >> 32)


@njit(cache=True, nogil=True)
def new_interest(world: Any, user: Any, key: Any, count: Any) -> Any:
    """A category: by the taste of the user's region or age group, or by popularity."""
    bits, kind = bits_at(key, count), bits_at(key, count + 1)
    group = below(kind, 4)
    if group >= 2:
        return pick(world.category_weight, 0, len(world.category_weight) - 1, bits)
    region, age = profile(world.user_key, user)
    row = region if group == 0 else REGION_COUNT + age
    return pick_in_department(world.category_weight, world.tastes[row, below_again(kind, TASTES)], bits)


@njit(cache=True, nogil=True)
def interest_weight(bits: Any) -> Any:
    """How much an interest counts: 64 // 1 .. 64 // 8."""
    return 64 // (1 + below(bits, 8))


@njit(cache=True, nogil=True)
def pick_slot(weights: Any, bits: Any) -> Any:
    """One of a user's interests, by weight."""
    mark, slot = below(bits, weights.sum()), 0
    while mark >= weights[slot]:
        mark -= weights[slot]
        slot += 1
    return slot


@njit(cache=True, nogil=True)
def begin(world: Any, user: Any, length: Any, state: Any, categories: Any, weights: Any) -> Any:
    """Set `state`, `categories` and `weights` [interests] to the user's first step; the key of the life's stream."""
    key = mixed(bits_at(world.user_key, user) + U(1))
    for slot in range(world.interests):
        categories[slot] = new_interest(world, user, key, 4 + 3 * slot)
        weights[slot] = interest_weight(bits_at(key, 6 + 3 * slot))
    when, how = bits_at(key, 0), bits_at(key, 1)
    state[CLOCK] = START + below(when, PERIOD // 20 * 19)
    active = (
        (START + PERIOD - state[CLOCK]) * (8 + below(how, 24)) // 64
    )  # seconds, an eighth to a half of what is left
    state[PAUSE] = 1 + 2 * active // (1 + length // SESSION)
    state[FOCUS] = pick_slot(weights, bits_at(key, 2))
    return mixed(key)


@njit(cache=True, nogil=True)
def advance(world: Any, user: Any, key: Any, step: Any, state: Any, categories: Any, weights: Any) -> None:
    """Live from step - 1 to `step` (from 1): time passes, and at a new session interests may drift."""
    bits = bits_at(key, 8 * step)
    if below(bits, SESSION) > 0:
        state[CLOCK] += 15 + below_again(bits, 600)
        return
    state[CLOCK] += 600 + below_again(bits, state[PAUSE])
    change = bits_at(key, 8 * step + 1)
    if below(change, ONE) < world.drift:
        slot = below_again(change, world.interests)
        where = bits_at(key, 8 * step + 2)
        if below_again(where, 2) == 0:
            categories[slot] = pick_in_department(world.category_weight, department_of(categories[slot]), where)
        else:
            categories[slot] = new_interest(world, user, key, 8 * step + 3)
        weights[slot] = interest_weight(bits_at(key, 8 * step + 5))
    state[FOCUS] = pick_slot(weights, bits_at(key, 8 * step + 6))


@njit(cache=True, nogil=True)
def propose(world: Any, key: Any, count: Any, state: Any, categories: Any, weights: Any, chosen: Any, made: Any) -> Any:
    """A position drawn from the user's preferences, alive and new or not; chosen[:made] are the choices so far."""
    route, bits, way = bits_at(key, count), bits_at(key, count + 1), bits_at(key, count + 2)
    mark = below(route, ONE)
    if mark < world.browsing:
        category = pick(world.category_weight, 0, len(world.category_weight) - 1, way)
        return pick_item(world, category, bits)
    if mark < world.browsing + world.relatedness and made > 0:
        back = pick_recent(min(made, RECENT), way)
        return related(world, chosen[made - 1 - back], below_again(way, RELATED))
    slot = state[FOCUS] if below_again(route, ONE) < world.focus else pick_slot(weights, way)
    return pick_item(world, categories[slot], bits)


@njit(cache=True, nogil=True)
def pick_recent(known: Any, bits: Any) -> Any:
    """How far back the leading item lies, 0 .. known - 1; each weighs half of the next newer one."""
    mark, back = below(bits, (1 << known) - 1), 0
    while mark >= 1 << (known - 1 - back):
        mark -= 1 << (known - 1 - back)
        back += 1
    return back


@njit(cache=True, nogil=True)
def live(world: Any, first: Any, offsets: Any, items: Any, times: Any) -> None:
    """Choices of the users first, first + 1, ...: positions and seconds into items, times [offsets[-1]].

    offsets int64 [users + 1] are the planned lengths' sums. A user who finds nothing new in TRIES draws leaves; the
    rest of that row is set to -1.
    """
    longest = 1
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    size = 4
    while size < 2 * longest:
        size *= 2
    taken = np.full(size, -1, np.int64)  # open addressing: row * 2**32 + position
    state, categories = np.zeros(3, np.int64), np.zeros(world.interests, np.int64)
    weights = np.zeros(world.interests, np.int64)
    for row in range(len(offsets) - 1):
        user, begun, length = first + row, offsets[row], offsets[row + 1] - offsets[row]
        chosen = items[begun : begun + length]
        key = begin(world, user, length, state, categories, weights)
        choices = mixed(key)
        for step in range(length):
            if step > 0:
                advance(world, user, key, step, state, categories, weights)
            chosen[step] = -1
            for attempt in range(TRIES):
                count = (step * TRIES + attempt) * 3
                position = propose(world, choices, count, state, categories, weights, chosen, step)
                if world.first_seen[position] <= state[CLOCK] and _add(taken, row, position):
                    chosen[step] = position
                    times[begun + step] = state[CLOCK]
                    break
            if chosen[step] < 0 and step > 0:
                chosen[step:] = -1
                break
            if chosen[step] < 0:  # nobody leaves without a choice
                chosen[step] = world.category_start[categories[state[FOCUS]]]
                _add(taken, row, chosen[step])
                times[begun + step] = state[CLOCK]


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
