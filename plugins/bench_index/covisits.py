"""Links that follow what users do: items met near one another in the same histories."""

from __future__ import annotations

import numba
import numpy as np

from bench import Ragged
from bench_index.graph import Graph
from bench_index.parallel import in_parts
from bench_index.prune import ragged

ITEMS_AT_ONCE = 1 << 14
OCCURRENCES = 1000  # of an item that are looked at, spread evenly: bounds the time that a popular item takes
SHRINK = 10.0  # pairs met once or twice by chance do not outweigh the others


def covisits(sequences: Ragged, size: int, window: int, most: int, *, threads: int = 1) -> Ragged:
    """For each of `size` items the at most `most` others best met with it within `window` steps of a sequence.

    sequences: item ids, each row in order of time (`interactions.by_user`), or any other lists in which items that are
    near belong together, such as the answers to training requests, best first (as RoarGraph does, Chen et al., VLDB
    2024, for queries that are distributed unlike the items). Best is the largest n_ij / sqrt(n_j + SHRINK), n_ij
    the meetings and n_j how often item j occurs: popular items do not take all places. Memory: two numbers an
    interaction, and one an item and thread.
    """
    values = np.ascontiguousarray(sequences.values, np.int32)
    counts = np.bincount(values, minlength=size)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    places = np.argsort(values, kind="stable")  # where each item occurs
    rows = np.searchsorted(sequences.offsets, places, side="right") - 1
    starts = (np.maximum(sequences.offsets[rows], places - window) - places).astype(np.int16)
    stops = (np.minimum(sequences.offsets[rows + 1], places + window + 1) - places).astype(np.int16)
    weights = (1 / np.sqrt(counts + SHRINK)).astype(np.float32)
    table, lengths = np.empty((size, most), np.int32), np.zeros(size, np.int64)

    def work(lo: int, hi: int) -> None:
        _meet(lo, hi, offsets, places, starts, stops, values, weights, table, lengths)

    in_parts(size, ITEMS_AT_ONCE, threads, work)
    return ragged(table, lengths)


def with_covisits(graph: Graph, met: Ragged, most: int) -> Graph:
    """`graph` with up to `most` more links a node at the bottom, to the items that `met` (see `covisits`) has for its
    item and to which it has none yet. Those that are no nodes are passed over."""
    size = len(met)
    nodes = np.full(size, -1, np.int32)  # of each item
    there = np.flatnonzero(graph.items >= 0)
    nodes[graph.items[there]] = there
    layer = graph.layers[0]
    table, counts = np.empty((len(graph), most), np.int32), np.zeros(len(graph), np.int64)
    _choose(layer.offsets, layer.values, graph.items, met.offsets, met.values, nodes, table, counts)
    offsets = layer.offsets + np.concatenate([[0], np.cumsum(counts)])
    values = np.insert(layer.values, np.repeat(layer.offsets[1:], counts), ragged(table, counts).values)
    return Graph(graph.items, (Ragged(offsets, values), *graph.layers[1:]))


@numba.njit(cache=True, nogil=True)
def _meet(lo, hi, offsets, places, starts, stops, values, weights, table, lengths):  # type: ignore[no-untyped-def]
    most = table.shape[1]
    met, touched = np.zeros(len(weights), np.float32), np.empty(len(weights), np.int32)
    scores = np.empty(most, np.float32)
    for item in range(lo, hi):
        found, count = 0, offsets[item + 1] - offsets[item]
        looked = min(count, OCCURRENCES)
        for turn in range(looked):
            at = offsets[item] + turn * count // looked
            for place in range(places[at] + starts[at], places[at] + stops[at]):
                other = values[place]
                if other != item:
                    if met[other] == 0:
                        touched[found] = other
                        found += 1
                    met[other] += 1
        size = 0
        for at in range(found):
            other = touched[at]
            score = met[other] * weights[other]
            met[other] = 0
            if size == most:
                if score <= scores[most - 1]:
                    continue
                size -= 1
            place = size
            while place > 0 and scores[place - 1] < score:
                scores[place], table[item, place] = scores[place - 1], table[item, place - 1]
                place -= 1
            scores[place], table[item, place] = score, other
            size += 1
        lengths[item] = size


@numba.njit(cache=True, nogil=True)
def _choose(offsets, links, items, met_offsets, met, nodes, table, counts):  # type: ignore[no-untyped-def]
    for node in range(len(items)):
        item, count = items[node], 0
        if item < 0 or item >= len(met_offsets) - 1:
            continue
        own = links[offsets[node] : offsets[node + 1]]
        for at in range(met_offsets[item], met_offsets[item + 1]):
            if count == table.shape[1]:
                break
            other = nodes[met[at]]
            if other >= 0 and not (own == other).any():
                table[node, count] = other
                count += 1
        counts[node] = count
