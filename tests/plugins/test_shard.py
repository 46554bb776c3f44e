"""A catalog in shards is answered as one: the same exact top, or more of it where an index is approximate."""

import dataclasses
import logging
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import Answer, Catalog, Context, InvalidAnswer, ParameterError, Ragged, Requests, UsageError
from bench.report.schedule import trainings
from bench.run.hooks import connect, implements
from bench.run.lifecycle import run
from bench.run.plan import Home, Plan
from bench.run.source import source_digest
from bench.testing import check_method
from bench.testing.checks import check_update
from bench.testing.instance import Subject
from bench.testing.world import make_world
from bench_baselines.bayes import Bayes
from bench_baselines.item_cf import ItemCF
from bench_baselines.null import Null
from bench_dr.dr import DR
from bench_dvf.dvf import DVF
from bench_shard.merging import merged
from bench_shard.sharded import sharded
from bench_shard.splitting import Split
from bench_tree.jtm import JTM
from bench_tree.label_trees import HSM, PLT
from bench_tree.tdm import TDM
from bench_vector.ann import Ann
from bench_vector.multi_interest import ComiRec
from bench_vector.two_tower import TwoTower

RNG = np.random.default_rng(3)
ITEMS = (RNG.standard_normal((3000, 16)) * RNG.uniform(0.5, 2, (3000, 1))).astype(np.float32)
ASKED = RNG.standard_normal((60, 16)).astype(np.float32)
NEURAL = {
    "dim": 16,
    "length": 12,
    "blocks": 1,
    "hidden": 16,
    "negatives": 64,
    "batch": 32,
    "epochs": 4,
    "seconds": 0,
}


def vectors(distance="inner product", size=3000):
    return Catalog(size, vectors=ITEMS[:size], distance=distance)


def requests(excluded=0):
    count = len(ASKED)
    exclude = Ragged.from_rows([np.sort(RNG.choice(3000, excluded, replace=False)) for _ in range(count)])
    return Requests(np.arange(count), np.full(count, -1, np.int32), Ragged.empty(count), exclude, vectors=ASKED)


def indexed(method, catalog, context):
    connect(method).index(catalog=catalog, context=context)
    return connect(method)


@pytest.mark.parametrize("shards", [1, 2, 4, 7])
@pytest.mark.parametrize("distance", ["inner product", "cosine", "euclidean"])
def test_an_exact_index_in_shards_answers_as_one(context, distance, shards):
    asked = requests(excluded=30)
    one = indexed(Ann(), vectors(distance), context).query(requests=asked, k=50, context=context)
    for split in ("even", "ranges"):
        method = sharded("ann", Ann)(shards=shards, split=split)
        hooks = indexed(method, vectors(distance), context)
        many = hooks.query(requests=asked, k=50, context=context)
        np.testing.assert_array_equal(many.ids, one.ids)
        np.testing.assert_allclose(many.scores, one.scores, rtol=1e-5, atol=1e-5)
        assert many.work.tolist() == one.work.tolist()  # every vector, once
        items = np.arange(3000, dtype=np.int32)
        alone = Ann()
        expected = indexed(alone, vectors(distance), context).score(requests=asked, items=items, context=context)
        np.testing.assert_allclose(hooks.score(requests=asked, items=items, context=context), expected, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"backend": "hnsw", "m": 4, "ef_construction": 20, "ef": 20},
        {"backend": "hnsw_faiss", "m": 4, "ef_construction": 20, "ef": 20},
        {"backend": "ivf", "probes": 4},
        {"backend": "ivf_pq", "probes": 4, "code_bytes": 4, "refine": 1},
    ],
    ids=lambda settings: settings["backend"],
)
def test_an_approximate_index_in_four_shards_finds_at_least_as_much(context, settings):
    exact = indexed(Ann(), vectors(), context).query(requests=requests(), k=20, context=context)

    def found(method):
        ids = indexed(method, vectors(), context).query(requests=requests(), k=20, context=context).ids
        return np.mean([np.isin(row, true).mean() for row, true in zip(ids, exact.ids, strict=True)])

    one, four = found(Ann(**settings)), found(sharded("ann", Ann)(shards=4, **settings))
    assert one < 0.97  # else there was nothing to lose
    assert four >= one


@given(
    st.integers(1, 5),
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=20),
)
def test_merging_keeps_the_best_of_all_and_of_equals_the_smaller_id(shards, k, given):
    """given: the shard (modulo shards) and the score of each item."""
    owners = np.array([shard % shards for shard, _ in given], int)
    values = np.array([score for _, score in given], np.float32)
    answers = []
    for shard in range(shards):
        own = np.flatnonzero(owners == shard)
        own = own[np.lexsort((own, -values[own]))][:k]
        ids, scores = np.full((1, k), -1, np.int32), np.full((1, k), -np.inf, np.float32)
        ids[0, : len(own)], scores[0, : len(own)] = own, values[own]
        answers.append(Answer(ids, scores, np.array([len(own)], np.int32)))
    best = np.lexsort((np.arange(len(values)), -values))[:k]
    found = merged(answers, "mine")
    assert found.ids[0].tolist() == best.tolist() + [-1] * (k - len(best))
    assert found.scores[0, : len(best)].tolist() == values[best].tolist()
    assert found.work.tolist() == [sum(answer.work[0] for answer in answers)]


def test_answers_that_cannot_be_put_in_order_are_refused():
    ids, scores = np.array([[4, 2]], np.int32), np.array([[1.0, 0.5]], np.float32)
    with pytest.raises(InvalidAnswer, match="mine answers without scores"):
        merged([Answer(ids, scores), Answer(ids + 1)], "mine")
    with pytest.raises(InvalidAnswer, match="NaN"):
        merged([Answer(ids, scores), Answer(ids + 1, scores * np.nan)], "mine")
    assert merged([Answer(ids, scores, np.ones(1, np.int32)), Answer(ids + 1, scores)], "mine").work is None


def test_shards_of_fewer_items_than_are_asked_for_give_all_they_have(context):
    method = sharded("ann", Ann)(shards=4)
    answer = indexed(method, vectors(size=10), context).query(requests=requests(), k=12, context=context)
    assert (np.sort(answer.ids[:, :10], 1) == np.arange(10)).all() and (answer.ids[:, 10:] == -1).all()


def test_a_shard_without_items_is_refused(context):
    with pytest.raises(ParameterError, match="shards=4 of 3 items leaves a shard without any"):
        indexed(sharded("ann", Ann)(shards=4), vectors(size=3), context)


@pytest.mark.parametrize("how", ["even", "ranges"])
def test_items_are_split_evenly_and_new_ones_go_to_the_smallest_shards(how):
    candidates = np.arange(1, 20, 2, dtype=np.int32)
    split = Split.of(candidates, 20, 4, how, np.random.default_rng(0))
    held = [split.held(shard) for shard in range(4)]
    assert sorted(np.concatenate(held).tolist()) == candidates.tolist()
    assert sorted(len(one) for one in held) == [2, 2, 3, 3]
    if how == "ranges":
        assert all(left[-1] < right[0] for left, right in pairwise(held))
    grown = split.grown(np.array([1, 4, 20, 21], np.int32), 22)  # 1 returns to where it was
    assert grown.owner[1] == split.owner[1]
    assert np.bincount(grown.owner[grown.owner >= 0]).max() <= 4
    assert {grown.owner[item] for item in (4, 20)} == {shard for shard in range(4) if len(held[shard]) == 2}
    assert np.delete(grown.owner[:20], 4).tolist() == np.delete(split.owner, 4).tolist()


@pytest.mark.parametrize(
    ("name", "held", "settings"),
    [("item_cf", ItemCF, {}), ("two_tower", TwoTower, {"dim": 8, "length": 12, "epochs": 1, "negatives": 20})],
)
def test_it_keeps_the_contract_of_a_method(name, held, settings):
    check_method(sharded(name, held), {"shards": 2, **settings})


def test_shards_follow_a_live_catalog():
    world = make_world()
    subject = Subject(sharded("dvf", DVF), {**NEURAL, "shards": 3, "behaviours": 6, "epochs": 1})
    check_update(subject, world, subject.ready(world).query(world.requests))


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("scratch")
    rng = np.random.default_rng(1)
    return Context(1, rng, "cpu", 1, scratch, lambda *_: None, logging.getLogger("test"))


@pytest.mark.parametrize(
    ("held", "settings", "searched"),
    [
        (DVF, {"behaviours": 6, "precision": "float32"}, {"share": 0.05}),
        (TDM, {"behaviours": 6, "precision": "float32"}, {"beam": 4}),
        (PLT, {"scorer": "dnn", "precision": "float32"}, {"beam": 4}),
        (DR, {"layers": 2, "nodes": 8, "precision": "float32"}, {"beam": 2, "ratio": 1}),
    ],
)
def test_a_search_for_the_best_by_a_scorer_finds_at_least_as_much_in_four_shards(
    shelves, lent, held, settings, searched
):
    """At an effort that leaves something to be found, by the same network, against brute force by its own scorer."""
    learnt = {key: value for key, value in NEURAL.items() if key in held.__dataclass_fields__}
    one = held(**learnt, **settings, **searched)
    connect(one).train(data=shelves, context=lent)
    four = sharded(held.__name__.lower(), held)(shards=4, **learnt, **settings, **searched)
    four.method_ = one
    asked, items = shelves.validation.requests, np.arange(shelves.catalog.size, dtype=np.int32)

    def answered(method):
        return indexed(method, shelves.catalog, lent).query(requests=asked, k=20, context=lent)

    many, single = answered(four), answered(one)
    scores = connect(one).score(requests=asked, items=items, context=lent)
    np.testing.assert_allclose(np.take_along_axis(scores, many.ids, 1), many.scores, rtol=1e-3, atol=1e-4)
    best = Answer.top(items, scores, 20)

    def found(answer):
        return np.mean([np.isin(row, true).mean() for row, true in zip(answer.ids, best.ids, strict=True)])

    assert found(many) >= found(single) < 1


@pytest.mark.parametrize(("share", "most"), [(0.05, 100), (0.2, 400), (0.9, 500)])
def test_a_shard_may_score_as_many_items_as_one_index(shelves, lent, share, most):
    """share: of 2000 items, of which a shard has 500."""
    settings = {**NEURAL, "epochs": 1, "behaviours": 6, "share": share, "quota": 0, "ef": (500, 500, 500)}
    four, works = sharded("dvf", DVF)(shards=4, **settings), []
    connect(four).train(data=shelves, context=lent)
    listening = dataclasses.replace(lent, milestone=lambda name, **told: works.append(told.get("work", 0)))
    hooks = indexed(four, shelves.catalog, lent)
    hooks.query(requests=shelves.validation.requests, k=10, context=listening)
    assert max(works) <= most < 1.3 * max(works)


def test_a_shard_of_a_tree_holds_what_leads_to_its_items_alone(shelves, lent):
    method = TDM(**NEURAL, behaviours=6, rounds=1)
    connect(method).train(data=shelves, context=lent)
    whole = indexed(method, shelves.catalog, lent) and method.index_
    for split, most in (("ranges", 0.4), ("even", 0.6)):
        four = sharded("tdm", TDM)(shards=4, split=split, **NEURAL, behaviours=6, rounds=1)
        four.method_ = method
        indexed(four, shelves.catalog, lent)
        sizes = []
        for shard in range(4):
            held = dataclasses.replace(shelves.catalog, eligible=four.split_.held(shard))
            part = indexed(method, held, lent) and method.index_
            assert sorted(part.answers) == held.eligible.tolist() and len(part.table) == len(part.levels.parents)
            sizes.append(len(part.table) / len(whole.table))
        assert max(sizes) < most


@pytest.mark.parametrize(
    ("held", "settings", "said"),
    [
        (HSM, {}, "share among all its siblings"),
        (JTM, {"hierarchical": True}, "ancestors in the whole tree"),
        (ComiRec, {"diversity": 0.5}, "for one another"),
    ],
)
def test_what_cannot_be_split_says_why(held, settings, said):
    with pytest.raises(ParameterError, match=said):
        sharded(held.__name__.lower(), held)(**settings)
    with pytest.raises(ParameterError, match="cannot be split into shards"):
        sharded(held.__name__.lower(), held)(**settings)


@pytest.mark.parametrize(("held", "said"), [(Null, "no save and load"), (Bayes, "is told the truth")])
def test_what_has_no_index_to_split_is_refused(held, said):
    with pytest.raises(UsageError, match=said):
        sharded(held.__name__.lower(), held)


def test_it_has_the_hooks_and_the_digest_of_what_it_holds():
    vector, graph = sharded("two_tower", TwoTower), sharded("dvf", DVF)
    assert not implements(connect(vector()), "update") and implements(connect(graph()), "update")
    assert source_digest(vector) not in (source_digest(graph), source_digest(TwoTower))
    assert vector.work_unit == TwoTower.work_unit and vector.version == f"1+{TwoTower.version}"


def test_processes_answer_as_the_shards_did_where_they_were_made(context, tmp_path):
    world, told = make_world(), {}
    context = dataclasses.replace(context, milestone=lambda name, **values: told.setdefault(name, values))
    made = sharded("item_cf", ItemCF)(shards=3)
    first = connect(made)
    first.train(data=world.training, context=context)
    (tmp_path / "train").mkdir()
    (tmp_path / "index").mkdir()
    first.save(folder=tmp_path / "train", phase="train")
    first.index(catalog=world.catalog, context=context)
    expected = first.query(requests=world.requests, k=10, context=context)
    first.save(folder=tmp_path / "index", phase="index")
    inodes = {path.stat().st_ino for path in (tmp_path / "index").rglob("size.npy")}
    assert len(inodes) == 1  # what is the same in every shard is stored once

    again = sharded("item_cf", ItemCF)(shards=3)
    second = connect(again)
    second.load(folder=tmp_path / "train", phase="train", context=context)
    second.load(folder=tmp_path / "index", phase="index", context=context)
    told.clear()
    found = second.query(requests=world.requests, k=10, context=context)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.scores, expected.scores)
    shards = [told[f"shard {at}"] for at in range(3)]
    assert [one["items"] for one in shards] == [22, 22, 22]
    assert told["slowest shard"]["ms"] == max(one["ms"] for one in shards) > 0
    assert sum(one["share of answers"] for one in shards) == pytest.approx(1)
    assert all(one["peak MB"] > 10 for one in shards)


class Nobody:
    """Looks on at nothing."""

    def stage(self, name, note=""): ...
    def progress(self, done, total, note=""): ...
    def log(self, line): ...


def test_a_run_shares_the_training_and_tells_of_each_shard(tmp_path):
    home = Home(tmp_path / "results", tmp_path / "cache")
    plan = Plan("item_cf", "synthetic:items=300,interactions=4000,seed=3", ks=(10,), timing="single", threads=1)
    split = dataclasses.replace(plan, method="sharded:item_cf", settings={"shards": "2"})
    assert trainings([plan, split]) == 1
    one, many = run(plan, home, Nobody()), run(split, home, Nobody())
    assert many["status"] == "ok", many["error"]
    assert many["metrics"] == one["metrics"] and many["oracle"]["recall@10"] == one["oracle"]["recall@10"]
    assert many["method"]["params"]["shards"] == 2
    assert many["phases"]["train"]["cached"] and not many["phases"]["index"]["cached"]
    assert sorted(path.name for path in (home.cache / "artifacts").iterdir()) == ["item_cf", "sharded-item_cf"]
    told = {each["name"]: each for each in many["phases"]["query"]["milestones"]}
    assert told["shard 0"]["items"] + told["shard 1"]["items"] == many["task"]["items"]
    peaks = [told[f"shard {at}"]["peak MB"] * 1e6 for at in (0, 1)]
    assert many["phases"]["query"]["peak_rss_bytes"] > sum(peaks) > 0
    assert 0 < many["told"]["slowest shard"]["ms"]["p50"] <= many["latency_ms"]["p50"]
    assert one["told"] is None
