"""Which paths an item should lie on: the scores that training moments give them, and coordinate descent over them.

Deep Retrieval (CIKM 2021), section 3.3: s[v, c] is the sum, over the moments whose target is v, of p(c | user), and the
paths of all items are chosen to maximise

    sum_v N_v log sum_(c of v) s[v, c]  -  alpha sum_c f(|c|),    f(n) = n^4 / 4

where N_v counts v's moments and |c| the items on path c.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np
from numpy.typing import NDArray

from bench_dr.paths import LARGEST, NONE

KEPT = 0.999  # of the least kept score, with which a path begins that takes its place
DENSE = 1 << 22  # paths whose items are counted in one array


@dataclass
class Scores:
    """The best-scored paths of each item.

    paths int64 [N, S], NONE where there are fewer, and scores float32 [N, S] of them; counts float64 [N]: the moments
    whose target each item was (N_v); with decay the older ones count less.
    """

    paths: NDArray[np.int64]
    scores: NDArray[np.float32]
    counts: NDArray[np.float64]

    @classmethod
    def none(cls, items: int, kept: int) -> Scores:
        """Of no moments; `kept`: S."""
        return cls(np.full((items, kept), NONE, np.int64), np.zeros((items, kept), np.float32), np.zeros(items))

    def decay(self, share: float) -> None:
        """Let what there is count for `share` of what it did."""
        self.scores *= np.float32(share)
        self.counts *= share

    def add(self, items: NDArray[np.int64], paths: NDArray[np.int64], chances: NDArray[np.float32]) -> None:
        """Moments one after another: the target int64 [R] of each, its likeliest paths int64 [R, B] and their
        probabilities. A path that is new to a full row begins with KEPT of the least score there, whose place it takes
        (section 3.3.1's streaming form)."""
        _add(items, paths, chances, self.paths, self.scores, self.counts)


@dataclass
class Sums:
    """The same scores exactly: all that the moments give is added up before the best S of each item are taken."""

    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = field(default_factory=list)

    def add(self, items: NDArray[np.int64], paths: NDArray[np.int64], chances: NDArray[np.float32]) -> None:
        """As Scores.add."""
        self.parts.append((items, paths, chances))

    def best(self, items: int, kept: int) -> Scores:
        """The `kept` best paths of each of `items` items."""
        found = Scores.none(items, kept)
        if not self.parts:
            return found
        targets, paths, chances = (np.concatenate(part) for part in zip(*self.parts, strict=True))
        found.counts = np.bincount(targets, minlength=items).astype(np.float64)
        rows, flat = np.repeat(targets, paths.shape[1]), paths.ravel()
        names = np.arange(0)
        if items * (int(flat.max(initial=0)) + 1) >= LARGEST:
            names, flat = np.unique(flat, return_inverse=True)
        wide = int(flat.max(initial=0)) + 1
        keys = rows * wide + flat
        order = np.argsort(keys)
        keys = keys[order]
        starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
        sums = np.add.reduceat(chances.ravel()[order], starts, dtype=np.float64)
        keys = keys[starts]
        ends = np.searchsorted(keys, np.arange(items + 1) * wide)
        _keep(ends, keys % wide, sums, found.paths, found.scores)
        if len(names):
            found.paths[:] = np.where(found.paths == NONE, NONE, names[np.maximum(found.paths, 0)])
        return found


@numba.njit(cache=True)
def _keep(ends, paths, sums, kept, scores):  # type: ignore[no-untyped-def]
    """The best of each item's paths, ends[item] .. ends[item + 1] - 1, of equal ones the smaller number."""
    for item in range(len(ends) - 1):
        begin, end = ends[item], ends[item + 1]
        order = np.argsort(-sums[begin:end], kind="mergesort")
        for place in range(min(end - begin, kept.shape[1])):
            kept[item, place], scores[item, place] = paths[begin + order[place]], sums[begin + order[place]]


@numba.njit(cache=True)
def _add(items, paths, chances, kept, scores, counts):  # type: ignore[no-untyped-def]
    """See Scores.add."""
    for row in range(len(items)):
        item = items[row]
        counts[item] += 1
        for at in range(paths.shape[1]):
            path, chance = paths[row, at], chances[row, at]
            least = 0
            for place in range(kept.shape[1]):
                if kept[item, place] == path:
                    scores[item, place] += chance
                    break
                if kept[item, place] == -1:
                    kept[item, place], scores[item, place] = path, chance
                    break
                if scores[item, place] < scores[item, least]:
                    least = place
            else:
                kept[item, least] = path
                scores[item, least] = np.float32(KEPT) * scores[item, least] + chance


@dataclass(frozen=True, slots=True)
class Assignment:
    """numbers int64 [N, J]: each item's paths, NONE where it has fewer; objective: after each pass, float64 [passes];
    largest: items on the path of the most; used: paths with an item."""

    numbers: NDArray[np.int64]
    objective: NDArray[np.float64]
    largest: int
    used: int


def assigned(
    scores: Scores,
    paths: int,
    each: int,
    alpha: float,
    cap: int = 0,
    passes: int = 4,
    before: NDArray[np.int64] | None = None,
) -> Assignment:
    """Coordinate descent (algorithm 1): item after item, those of the most moments first, each of an item's `each`
    paths becomes the one of its scored paths that the objective gains most by, all others as they are, `passes` times.

    paths: how many there are (nodes^layers); cap: the most items on a path, 0 for no bound; before int64 [N, each]: the
    paths of items without a moment, which are only counted. An item's only path would gain the logarithm of nothing:
    there N_v log s stands for the gain. No path comes twice; an item has fewer than `each` where fewer were scored.
    Where all that were are full, an item goes to the next number that has room. Raises ValueError where all paths
    together have none.
    """
    items = len(scores.counts)
    if cap and cap * paths < items * each:
        raise ValueError(f"{paths:,} paths of at most {cap} items have no room for {items:,} items on {each} each")
    held = np.full((items, each), NONE, np.int64)
    met = scores.counts > 0
    if before is not None:
        held[~met] = before[~met]
    there = np.where(met[:, None], scores.paths, NONE)
    names: NDArray[np.int64] | None = None
    if paths > DENSE:  # only the paths that are met are counted, and others as they are needed for room
        names = np.unique(np.concatenate([there.ravel(), held.ravel()]))[1:]
        spare = -(-items * each // cap) if cap else 0
        names = np.union1d(names, np.arange(min(paths, spare + len(names)))) if spare > len(names) else names
        there, held = (np.where(one == NONE, NONE, np.searchsorted(names, one)) for one in (there, held))
    sizes = np.bincount(held[held != NONE], minlength=paths if names is None else len(names)).astype(np.int64)
    order = np.argsort(-scores.counts, kind="stable")[: int(met.sum())]
    objective = np.zeros(passes)
    for at in range(passes):
        _descend(order, there, scores.scores, scores.counts, alpha, cap, held, sizes)
        objective[at] = _objective(order, there, scores.scores, scores.counts, alpha, held, sizes)
    numbers = held if names is None else np.where(held == NONE, NONE, names[np.maximum(held, 0)])
    return Assignment(numbers, objective, int(sizes.max(initial=0)), int((sizes > 0).sum()))


@numba.njit(cache=True)
def _penalty(size):  # type: ignore[no-untyped-def]
    """f(size + 1) - f(size)."""
    return ((size + 1.0) ** 4 - float(size) ** 4) / 4


@numba.njit(cache=True)
def _descend(order, there, scores, counts, alpha, cap, held, sizes):  # type: ignore[no-untyped-def]
    """One pass over the items `order`: writes into held and sizes."""
    each = held.shape[1]
    for item in order:
        for at in range(each):
            if held[item, at] != -1:
                sizes[held[item, at]] -= 1
                held[item, at] = -1
            total = 0.0  # what the item's other paths score
            for place in range(there.shape[1]):
                for other in range(each):
                    if there[item, place] != -1 and held[item, other] == there[item, place]:
                        total += scores[item, place]
            best, most = -1, -np.inf
            for place in range(there.shape[1]):
                path, score = there[item, place], scores[item, place]
                if path == -1 or score <= 0 or (cap > 0 and sizes[path] >= cap):
                    continue
                again = False
                for other in range(each):
                    again = again or held[item, other] == path
                if again:
                    continue
                gain = np.log(total + score) - np.log(total) if total > 0 else np.log(score)
                gain = counts[item] * gain - alpha * _penalty(sizes[path])
                if gain > most:
                    best, most = path, gain
            worth = most > 0 or total == 0
            if best == -1 and total == 0 and cap > 0:
                best, worth = _room(max(0, there[item, 0]), sizes, cap, held[item]), True
            if best != -1 and worth:
                held[item, at] = best
                sizes[best] += 1


@numba.njit(cache=True)
def _room(path, sizes, cap, mine):  # type: ignore[no-untyped-def]
    """The next path that has room and is none of `mine`; -1 where there is none."""
    for step in range(len(sizes)):
        at = (path + step) % len(sizes)
        if sizes[at] < cap and not (mine == at).any():
            return at
    return -1


@numba.njit(cache=True)
def _objective(order, there, scores, counts, alpha, held, sizes):  # type: ignore[no-untyped-def]
    """What coordinate descent maximises; an item on paths that it has no scores of adds nothing."""
    value = 0.0
    for item in order:
        total = 0.0
        for place in range(there.shape[1]):
            for at in range(held.shape[1]):
                if there[item, place] != -1 and held[item, at] == there[item, place]:
                    total += scores[item, place]
        if total > 0:
            value += counts[item] * np.log(total)
    for size in sizes:
        value -= alpha * float(size) ** 4 / 4
    return value
