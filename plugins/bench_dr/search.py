"""Beam search through the layers of a path model, and the items at the ends of the best paths."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Ragged
from bench_dr.layers import PathModel
from bench_dr.paths import NONE, Trie

LOGITS_AT_ONCE = 1 << 22  # bounds the memory of a layer's logits


@dataclass(frozen=True, slots=True)
class Found:
    """The W best paths of each of R requests, best first: numbers int64 [R, W] and log p float32 [R, W]; -inf where
    there are fewer. rows int64 [R, W]: their places in the trie, where one was searched; work int32 [R]: softmaxes of a
    layer that were evaluated."""

    numbers: NDArray[np.int64]
    chances: NDArray[np.float32]
    rows: NDArray[np.int64]
    work: NDArray[np.int32]


def best_paths(layers: PathModel, states: Tensor, beam: int, trie: Trie | None = None) -> Found:
    """The `beam` best beginnings of each layer lead on to the next (Deep Retrieval, algorithm 2); states (R, d).

    With a trie only beginnings of paths that are in use are kept: no softmax is spent on where nothing lies. With a
    beam of all paths this is enumeration. Called without gradients.
    """
    step = max(1, LOGITS_AT_ONCE // (max(1, beam) * layers.nodes))
    parts = [_searched(layers, states[at : at + step], beam, trie) for at in range(0, max(1, len(states)), step)]
    return Found(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _searched(
    layers: PathModel, states: Tensor, beam: int, trie: Trie | None
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64], NDArray[np.int32]]:
    """What Found holds, of a block of requests."""
    count, nodes, begun = len(states), layers.nodes, layers.begun(states)
    codes = torch.zeros(count, 1, 0, dtype=torch.int64, device=states.device)  # (R, W, layer)
    chances = states.new_zeros(count, 1)  # (R, W)
    rows = np.zeros((count, 1), np.int64)  # of the beginnings in the trie
    work = np.zeros(count, np.int32)
    for layer in range(layers.layers):
        work += chances.isfinite().sum(1).to(torch.int32).cpu().numpy()
        onward = chances[:, :, None] + layers.logits(layer, begun, codes).log_softmax(2)  # (R, W, K)
        if trie is not None:
            there = _there(rows, chances.cpu().numpy(), trie.first[layer], trie.codes[layer], nodes)
            onward = onward.masked_fill(~torch.from_numpy(there).to(states.device), -torch.inf)
        wide = onward.flatten(1)
        chances, chosen = wide.topk(min(beam, wide.shape[1]), 1)  # (R, W'), best first
        before, node = chosen // nodes, chosen % nodes
        codes = torch.cat([codes.gather(1, before[:, :, None].expand(-1, -1, layer)), node[:, :, None]], 2)
        if trie is not None:
            parents = np.take_along_axis(rows, before.cpu().numpy(), 1)
            rows = _onward(parents, node.cpu().numpy(), trie.first[layer], trie.codes[layer])
    steps = nodes ** torch.arange(layers.layers - 1, -1, -1, device=states.device)
    numbers = (codes * steps).sum(2).cpu().numpy()
    return numbers, chances.float().cpu().numpy(), np.broadcast_to(rows, numbers.shape), work


@numba.njit(cache=True, nogil=True)
def _there(rows, chances, first, codes, nodes):  # type: ignore[no-untyped-def]
    """Which nodes follow each beginning that is one, bool [R, W, K]."""
    there = np.zeros((*rows.shape, nodes), np.bool_)
    for request in range(rows.shape[0]):
        for at in range(rows.shape[1]):
            if chances[request, at] > -np.inf:
                row = rows[request, at]
                for child in range(first[row], first[row + 1]):
                    there[request, at, codes[child]] = True
    return there


@numba.njit(cache=True, nogil=True)
def _onward(parents, nodes, first, codes):  # type: ignore[no-untyped-def]
    """The place of each beginning with its next node, int64 [R, W]; 0 where there is none."""
    rows = np.zeros(parents.shape, np.int64)
    for request in range(parents.shape[0]):
        for at in range(parents.shape[1]):
            begin, end = first[parents[request, at]], first[parents[request, at] + 1]
            place = begin + np.searchsorted(codes[begin:end], nodes[request, at])
            rows[request, at] = place if place < end and codes[place] == nodes[request, at] else 0
    return rows


def candidates(
    found: Found, trie: Trie, count: int, exclude: Ragged
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """Of all items on the found paths that a request does not exclude, the `count` of the largest
    sum_(c found) p(c) weight of the item on c.

    items int32 and the logarithm of that sum, float32 [R, C], in no order, and how many there are, int64 [R]. exclude:
    sorted rows.
    """
    sizes = np.where(np.isfinite(found.chances), np.diff(trie.offsets)[found.rows], 0)
    room = max(1, int(sizes.sum(1).max(initial=0)))
    items = np.zeros((len(found.rows), min(count, room)), np.int32)
    scores = np.full(items.shape, -np.inf, np.float32)
    counts = np.zeros(len(items), np.int64)
    barred = np.ascontiguousarray(exclude.values, np.int32)
    places = np.full(1 << max(4, int(2 * room).bit_length()), -1, np.int32)
    parts = found.rows, found.chances, trie.offsets, trie.items, trie.weights, exclude.offsets, barred
    rooms = np.empty(room, np.int64), np.empty(room, np.int32), np.empty(room, np.float64)
    _collect(*parts, places, *rooms, items, scores, counts)
    return items, scores, counts


@numba.njit(cache=True, nogil=True)
def _collect(
    rows, chances, offsets, lying, weights, barred_at, barred, places, slots, ids, sums, items, scores, counts
):  # type: ignore[no-untyped-def]
    """Fills items, scores and counts. places int32 [2^n], -1: a hash table of where each item stands among ids."""
    mask = len(places) - 1
    for request in range(len(rows)):
        mine = barred[barred_at[request] : barred_at[request + 1]]
        best, size = chances[request, 0], 0
        for at in range(rows.shape[1]):
            if chances[request, at] == -np.inf:
                break
            chance = np.exp(np.float64(chances[request, at] - best))
            for one in range(offsets[rows[request, at]], offsets[rows[request, at] + 1]):
                item = lying[one]
                slot = (item * 2654435761) & mask
                while places[slot] >= 0 and ids[places[slot]] != item:
                    slot = (slot + 1) & mask
                if places[slot] < 0:
                    places[slot], slots[size], ids[size], sums[size] = size, slot, item, 0.0
                    size += 1
                sums[places[slot]] += chance * weights[one]
        left = 0
        for one in range(size):  # those that are excluded leave
            places[slots[one]] = -1
            place = np.searchsorted(mine, ids[one])
            if not (place < len(mine) and mine[place] == ids[one]):
                ids[left], sums[left] = ids[one], sums[one]
                left += 1
        bound, equal, size = -np.inf, 0, 0
        if left > items.shape[1]:
            bound = np.partition(sums[:left], left - items.shape[1])[left - items.shape[1]]
            equal = items.shape[1] - (sums[:left] > bound).sum()  # of those that are equal to the bound
        for one in range(left):
            if sums[one] > bound or (sums[one] == bound and equal > 0):
                equal -= sums[one] == bound
                items[request, size], scores[request, size] = ids[one], np.log(sums[one]) + best
                size += 1
        counts[request] = size


def path_scores(
    layers: PathModel, states: Tensor, trie: Trie, numbers: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """log sum_j p(path j) weight j, float32 [R, C], of items whose paths are numbers int64 [C, J], NONE for none;
    states (R, d), weights float32 [C, J]. Every path in use is looked at: -inf for items without one. Called without
    gradients."""
    found = best_paths(layers, states, len(trie), trie)
    chances = np.full((len(states), len(trie) + 1), -np.inf, np.float32)
    rows = np.where(np.isfinite(found.chances), found.rows, len(trie))
    np.put_along_axis(chances, rows, np.where(rows < len(trie), found.chances, -np.inf), 1)
    place = np.where(numbers == NONE, len(trie), np.searchsorted(trie.numbers, numbers))  # (C, J)
    total = np.full((len(states), len(numbers)), -np.inf, np.float32)
    with np.errstate(divide="ignore"):
        for column, own in zip(place.T, np.log(weights).T, strict=True):
            total = np.logaddexp(total, chances[:, column] + own)
    return total
