"""From candidates to links: the occlusion rule, reverse links within a degree bound, and reachability."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from bench import Ragged
from bench_index.knn import NODES_AT_ONCE, nearest
from bench_index.parallel import in_parts


def occluded(
    vectors: NDArray[np.float32],
    candidates: Ragged,
    most: int,
    *,
    alpha: float = 1.0,
    least: int = 0,
    nodes: NDArray[np.integer] | None = None,
    threads: int = 1,
) -> Ragged:
    """Each node's links, at most `most`, chosen from its candidates, nearest first.

    A candidate is passed over where a chosen one is nearer to it than the node is: the heuristic of HNSW (Malkov and
    Yashunin, TPAMI 2020, Algorithm 4). alpha: as in Vamana (Subramanya et al., DiskANN, NeurIPS 2019), passed over only
    where alpha times that distance is still smaller; above 1 keeps more links. least: a node with fewer links is given
    the nearest of those passed over. nodes: int [R], the node of each row of candidates; without it all, in order.
    A node itself and repeated candidates are left out.
    """
    table, counts = np.empty((len(candidates), most), np.int32), np.zeros(len(candidates), np.int64)
    nodes = np.arange(len(candidates)) if nodes is None else nodes
    offsets, values = candidates.offsets, candidates.values

    def work(lo: int, hi: int) -> None:
        _occlude(lo, hi, vectors, nodes, offsets, values, np.float32(alpha) ** 2, least, table, counts)

    in_parts(len(candidates), NODES_AT_ONCE, threads, work)
    return ragged(table, counts)


def ragged(table: NDArray[np.int32], counts: NDArray[np.integer]) -> Ragged:
    """The first counts int [N] values of each row of table int32 [N, W]."""
    full = len(counts) * table.shape[1] == counts.sum()
    values = table.ravel() if full else table[np.arange(table.shape[1]) < counts[:, None]]
    return Ragged(np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]), values)


def both_ways(layer: Ragged) -> Ragged:
    """Each node's links followed by the nodes that link to it: those that do both stand twice."""
    counts = layer.lengths + np.bincount(layer.values, minlength=len(layer))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    values = np.empty(offsets[-1], np.int32)
    _both_ways(layer.offsets, layer.values, offsets, values)
    return Ragged(offsets, values)


def connected(layer: Ragged, vectors: NDArray[np.float32], entries: int, *, threads: int = 1) -> Ragged:
    """`layer` with links added so that a walk from its first `entries` nodes can reach every node.

    A node out of reach is linked to from a reached node among its own links; where there is none, from the nearest of
    the first `entries` nodes. So a few nodes may come to have more links than the degree bound.
    """
    while True:
        hosts = np.full(len(layer), -1, np.int32)
        lost = _reach(layer.offsets, layer.values, entries, hosts)
        if not lost:
            return layer
        nodes = np.flatnonzero(hosts != -2)
        if (hosts[nodes] < 0).all():
            hosts[nodes] = nearest(vectors[nodes], vectors[:entries], 1, threads=threads)[0][:, 0]
        nodes = nodes[hosts[nodes] >= 0]
        layer = with_links(layer, hosts[nodes], nodes)


def with_links(layer: Ragged, hosts: NDArray[np.integer], nodes: NDArray[np.integer]) -> Ragged:
    """`layer` with a link from each of hosts to the node in the same place of nodes, after the links it has."""
    at = np.argsort(hosts, kind="stable")
    values = np.insert(layer.values, layer.offsets[np.asarray(hosts)[at] + 1], np.asarray(nodes, np.int32)[at])
    more = np.bincount(hosts, minlength=len(layer))
    return Ragged(layer.offsets + np.concatenate([[0], np.cumsum(more)]), values)


def stacked(*layers: Ragged) -> Ragged:
    """The rows of the first, then those of the second, ..."""
    lengths = np.concatenate([layer.lengths for layer in layers])
    values = np.concatenate([layer.values for layer in layers])
    return Ragged(np.concatenate([[0], np.cumsum(lengths)]), values)


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"}, inline="always")
def _distance(one, other):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for d in range(len(one)):
        total += (one[d] - other[d]) ** 2
    return total


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _occlude(lo, hi, vectors, nodes, offsets, candidates, alpha, least, table, counts):  # type: ignore[no-untyped-def]
    most = table.shape[1]
    chosen = np.empty((most, vectors.shape[1]), np.float32)
    for row in range(lo, hi):
        node, own = nodes[row], vectors[nodes[row]]
        around = np.unique(candidates[offsets[row] : offsets[row + 1]])
        around = around[(around != node) & (around >= 0)]
        distances = np.empty(len(around), np.float32)
        for at in range(len(around)):
            distances[at] = _distance(own, vectors[around[at]])
        order = np.argsort(distances, kind="mergesort")
        passed, count = np.zeros(len(around), np.bool_), 0
        for place in range(len(order)):
            if count == most:
                break
            at = order[place]
            other = vectors[around[at]]
            for step in range(count):
                if alpha * _distance(other, chosen[step]) < distances[at]:
                    passed[at] = True
                    break
            if not passed[at]:
                chosen[count] = other
                table[row, count] = around[at]
                count += 1
        for place in range(len(order)):
            if count >= min(least, most):
                break
            if passed[order[place]]:
                table[row, count] = around[order[place]]
                count += 1
        counts[row] = count


@numba.njit(cache=True, nogil=True)
def _both_ways(offsets, links, new_offsets, values):  # type: ignore[no-untyped-def]
    ends = new_offsets[:-1].copy()
    for node in range(len(ends)):
        for at in range(offsets[node], offsets[node + 1]):
            values[ends[node]] = links[at]
            ends[node] += 1
    for node in range(len(ends)):
        for at in range(offsets[node], offsets[node + 1]):
            values[ends[links[at]]] = node
            ends[links[at]] += 1


@numba.njit(cache=True, nogil=True)
def _reach(offsets, links, entries, hosts):  # type: ignore[no-untyped-def]
    """The number of nodes out of reach of the first `entries`; hosts int32 [N]: -2 for a reached node, else the first
    reached node that it links to itself, or -1."""
    size = len(hosts)
    queue = np.empty(size, np.int32)
    tail = min(entries, size)
    for node in range(tail):
        queue[node], hosts[node] = node, -2
    head = 0
    while head < tail:
        node = queue[head]
        head += 1
        for at in range(offsets[node], offsets[node + 1]):
            if hosts[links[at]] != -2:
                hosts[links[at]] = -2
                queue[tail] = links[at]
                tail += 1
    for node in range(size):
        if hosts[node] != -2:
            for at in range(offsets[node], offsets[node + 1]):
                if hosts[links[at]] == -2:
                    hosts[node] = links[at]
                    break
    return size - tail
