"""Beam-retrieval: against brute force, against faiss, and its promises about work, exclusions and threads."""

import itertools

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import Ragged
from bench_index.beam import Effort, search
from bench_index.exact import InnerProduct, exact_search
from bench_index.graph import Graph
from bench_index.hnsw import build_hnsw
from bench_index.merging import merge
from bench_index.topk import TopK


class Distances:
    """Minus the squared distance to each query: what an L2 index searches by."""

    def __init__(self, queries, vectors):
        self.queries, self.vectors = queries, vectors

    def part(self, start, stop):
        return Distances(self.queries[start:stop], self.vectors)

    def block(self, start, stop):
        nodes = np.arange(start, stop, dtype=np.int32)
        return self.pairs(np.broadcast_to(nodes, (len(self.queries), stop - start)), None)

    def pairs(self, nodes, counts):
        return -((self.vectors[nodes] - self.queries[:, None]) ** 2).sum(2).astype(np.float32)


def clustered(size=4000, dim=16, seed=0):
    centres, rng = np.random.default_rng(0).normal(size=(40, dim)), np.random.default_rng([1, seed])
    return (centres[rng.integers(40, size=size)] + 0.5 * rng.normal(size=(size, dim))).astype(np.float32)


def prepared(size=4000, batch=50, links=16):
    vectors = clustered(size)
    queries = clustered(batch, seed=1)
    graph = build_hnsw(vectors, np.arange(size, dtype=np.int32), links=links)
    return graph, Distances(queries, vectors[graph.items])


def overlap(one, other):
    return np.mean(
        [len(np.intersect1d(a[a >= 0], b[b >= 0])) / (b >= 0).sum() for a, b in zip(one, other, strict=True)]
    )


def test_wide_beams_are_exact():
    graph, scorer = prepared()
    whole = Effort(widths=(4000,), rounds=(1000,))
    exclude = Ragged.empty(50)
    found, best = search(graph, scorer, whole, 20, exclude), exact_search(graph.items, scorer, 20, exclude)
    np.testing.assert_array_equal(found.ids, best.ids)
    np.testing.assert_array_equal(found.scores, best.scores)
    assert (best.work == 4000).all()


def test_finds_at_least_what_faiss_finds_at_the_same_width():
    graph, scorer = prepared()
    index = faiss.IndexHNSWFlat(16, 16)
    index.hnsw.efConstruction, index.hnsw.efSearch = 40, 32
    index.add(scorer.vectors[np.argsort(graph.items)])
    _, theirs = index.search(scorer.queries, 10)
    exclude = Ragged.empty(50)
    best = exact_search(graph.items, scorer, 10, exclude).ids
    ours = search(graph, scorer, Effort(widths=(32, 32), rounds=(1, 9), quota=16, growth=1.0), 10, exclude)
    wide = search(graph, scorer, Effort(widths=(32, 32), rounds=(1, 9)), 10, exclude)
    assert overlap(ours.ids, best) >= overlap(theirs, best) - 0.01
    assert overlap(wide.ids, best) >= overlap(ours.ids, best)
    assert ours.work.mean() < wide.work.mean() < 1200


def test_few_items_are_scored_and_the_limit_is_kept():
    graph, scorer = prepared()
    exclude = Ragged.empty(50)
    best = exact_search(graph.items, scorer, 20, exclude)
    found = search(graph, scorer, Effort(widths=(20, 40), rounds=(1, 9), limit=600, quota=40), 20, exclude)
    assert found.work.max() <= 600
    assert overlap(found.ids, best.ids) > 0.9


def test_excluded_items_are_never_answered_and_do_not_cost_answers():
    graph, scorer = prepared()
    best = exact_search(graph.items, scorer, 50, Ragged.empty(50))
    exclude = Ragged.from_rows([np.sort(row[:30]) for row in best.ids])
    found = search(graph, scorer, Effort(widths=(80, 80), rounds=(1, 9), quota=40), 50, exclude)
    assert (found.ids >= 0).all()
    for row, barred in zip(found.ids, exclude, strict=True):
        assert not np.isin(row, barred).any()
    assert overlap(found.ids[:, :20], best.ids[:, 30:]) > 0.9


def test_more_answers_than_the_beam_reaches_are_found_elsewhere():
    graph, scorer = prepared(batch=3)
    exclude = Ragged.from_rows([[0, 1], [], np.arange(4000)])
    found = search(graph, scorer, Effort(widths=(1,), rounds=(1,)), 5000, exclude)
    assert (found.ids >= 0).sum(1).tolist() == [3998, 4000, 0]
    assert (np.diff(found.scores[1, :4000]) <= 0).all()


def test_threads_change_nothing():
    graph, scorer = prepared(batch=70)
    effort, exclude = Effort(widths=(20, 40), rounds=(1, 3), limit=500), Ragged.empty(70)
    one, many = (search(graph, scorer, effort, 20, exclude, threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.ids, many.ids)
    np.testing.assert_array_equal(one.work, many.work)


@pytest.mark.parametrize("size", [0, 1, 2, 65])
def test_tiny_catalogs_and_empty_batches(size):
    vectors = clustered(65)[:size]
    graph = build_hnsw(vectors, np.arange(size, dtype=np.int32))
    for batch in (0, 2):
        scorer = InnerProduct(clustered(5)[:batch], vectors[graph.items])
        found = search(graph, scorer, Effort(), 10, Ragged.empty(batch))
        assert found.ids.shape == (batch, 10)
        assert (found.ids >= 0).sum() == batch * min(size, 10)


def test_the_start_is_the_highest_named_layer_that_fills_its_beam():
    layers = tuple(Ragged.empty(size) for size in (20_000, 600, 20, 1))
    graph = Graph(np.arange(20_000, dtype=np.int32), layers)
    assert Effort((100, 200, 400), (1, 1, 3)).start(graph) == 1
    assert Effort((20, 200, 400), (1, 1, 3)).start(graph) == 2
    assert Effort((1, 20, 200, 400), (1, 1, 3)).start(graph) == 3
    assert Effort((400,), (3,)).start(graph) == 0


def test_quotas_grow_and_without_one_the_whole_beam_is_expanded():
    assert list(itertools.islice(Effort((9,), (3,), quota=10).quotas(0), 4)) == [10, 15, 22, 33]
    assert list(itertools.islice(Effort((9,), (3,), quota=10, growth=1.0).quotas(0), 3)) == [10, 10, 10]
    assert len(list(Effort((5, 9), (1, 2)).quotas(0))) == 2
    assert len(list(Effort((5, 9), (1, 2)).quotas(1))) == 1


def test_a_chain_is_walked_one_round_a_step_by_hand():
    chain = Ragged.from_rows([[1], [0, 2], [1, 3], [2, 4], [3]])
    graph = Graph(np.arange(5, dtype=np.int32), (chain, Ragged.from_rows([[]])))
    scorer = InnerProduct(np.ones((1, 1), np.float32), np.arange(5, dtype=np.float32)[:, None])
    found = search(graph, scorer, Effort(widths=(1, 2), rounds=(1, 3)), 2, Ragged.empty(1))
    assert found.ids.tolist() == [[3, 2]] and found.work.tolist() == [4]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 40), st.integers(1, 30))
def test_top_k_is_the_sorted_head(seed, batch, width, k):
    rng = np.random.default_rng(seed)
    ids = np.stack([rng.permutation(50)[:width] for _ in range(batch)]).astype(np.int32).reshape(batch, width)
    scores = rng.normal(size=(batch, width)).astype(np.float32)
    ids[rng.random(ids.shape) < 0.1] = -1
    exclude = Ragged.from_rows([np.flatnonzero(rng.random(50) < 0.2) for _ in range(batch)])
    top = TopK(np.append(np.arange(50), -1).astype(np.int32), k, exclude)
    cut = rng.integers(0, width + 1)  # comes in two parts
    for part in (np.s_[:, :cut], np.s_[:, cut:]):
        top.add(ids[part], scores[part], np.full(batch, ids[part].shape[1]))
    top, top_scores = top.answer()
    for row in range(batch):
        allowed = (ids[row] >= 0) & ~np.isin(ids[row], exclude[row])
        order = np.argsort(-scores[row][allowed])[:k]
        expected = ids[row][allowed][order]
        assert top[row, : len(expected)].tolist() == expected.tolist()
        assert (top[row, len(expected) :] == -1).all()
        np.testing.assert_array_equal(top_scores[row, : len(expected)], scores[row][allowed][order])


def test_a_request_whose_best_no_longer_change_stops_on_its_own():
    graph, scorer = prepared()
    exclude, wide = Ragged.empty(50), {"widths": (50, 300), "rounds": (1, 9), "quota": 40, "growth": 1.0}
    best = exact_search(graph.items, scorer, 10, exclude)
    patient = search(graph, scorer, Effort(**wide), 10, exclude)
    hasty = search(graph, scorer, Effort(**wide, patience=2), 10, exclude)
    assert (hasty.work <= patient.work).all() and hasty.work.mean() < 0.7 * patient.work.mean()
    assert len(np.unique(hasty.work)) > 2
    assert overlap(hasty.ids, best.ids) > 0.97


def test_rounds_have_equal_quotas_for_all_requests():
    graph, scorer = prepared()
    calls = []

    class Recorder(Distances):
        def pairs(self, nodes, counts):
            if counts is not None:
                calls.append(counts.copy())
            return super().pairs(nodes, counts)

    search(graph, Recorder(scorer.queries, scorer.vectors), Effort((20, 80), (1, 9), 1000, 20), 10, Ragged.empty(50))
    assert [set(counts.tolist()) for counts in calls[:3]] == [{20}, {30}, {45}]


def test_a_search_begins_from_the_entries_of_each_request():
    graph, scorer = prepared()
    exclude = Ragged.empty(50)
    best = exact_search(graph.items, scorer, 10, exclude)
    node = np.empty(4000, np.int32)
    node[graph.items] = np.arange(4000, dtype=np.int32)
    good = np.concatenate([node[best.ids[:, 5:8]], np.full((50, 2), -1, np.int32), node[best.ids[:, 5:6]]], 1)
    effort = Effort(widths=(20, 40), rounds=(1, 9), limit=200, quota=20)
    told = search(graph, scorer, effort, 10, exclude, entries=good)
    alone = search(graph, scorer, effort, 10, exclude)
    assert told.work.max() <= 200
    assert overlap(told.ids, best.ids) > 0.95 > overlap(alone.ids, best.ids)


def test_removed_items_lead_on_but_are_never_answered():
    graph, scorer = prepared()
    best = exact_search(graph.items, scorer, 20, Ragged.empty(50))
    gone = np.unique(best.ids[:, :5])
    kept = Graph(np.where(np.isin(graph.items, gone), -1, graph.items).astype(np.int32), graph.layers)
    effort = Effort(widths=(40, 80), rounds=(1, 9), quota=40)
    found = search(kept, scorer, effort, 10, Ragged.empty(50))
    assert overlap(found.ids, exact_search(kept.items, scorer, 10, Ragged.empty(50)).ids) > 0.95
    assert not np.isin(found.ids, gone).any()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 5))
def test_merging_keeps_the_sorted_head_and_the_fresh_marks(seed, width, k):
    rng = np.random.default_rng(seed)
    beam, scores = np.zeros((1, 12), np.int32), np.zeros((1, 12), np.float32)
    fresh, size, improved = np.zeros((1, 12), np.bool_), np.zeros(1, np.int64), np.zeros(1, np.bool_)
    kept = []  # (score, order of arrival, node), best first
    for turn in range(4):
        count = int(rng.integers(0, 20))
        nodes = np.arange(20 * turn, 20 * turn + 20, dtype=np.int32)[None]
        values = rng.integers(-5, 6, (1, 20)).astype(np.float32)  # with many ties
        fresh[:] = False
        before = kept[:k]
        merge(nodes, values, np.array([count]), width, k, beam, scores, fresh, size, improved)
        kept = sorted(kept + [(-values[0, at], nodes[0, at]) for at in range(count)])[:width]
        assert size[0] == len(kept)
        assert beam[0, : len(kept)].tolist() == [node for _, node in kept]
        assert scores[0, : len(kept)].tolist() == [-score for score, _ in kept]
        assert fresh[0, : len(kept)].tolist() == [node >= 20 * turn for _, node in kept]
        assert improved[0] == (kept[:k] != before)
