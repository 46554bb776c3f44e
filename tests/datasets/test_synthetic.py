"""The synthetic set: the same everywhere, within its rules, of the sizes asked for, in bounded memory."""

import hashlib
import subprocess
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench_datasets
from bench import ParameterError
from bench.errors import UnknownName
from bench_datasets import synthetic_words
from bench_datasets.synthetic import generate
from bench_datasets.synthetic_random import U, bits_at
from bench_datasets.synthetic_users import AGE_GROUPS, DEPARTMENT, PERIOD, REGIONS, START, live, plan
from bench_datasets.synthetic_world import Parameters, make_world

SMALL = {"items": 500, "interactions": 20_000, "seed": 7}


def _drawn(parameters):
    """(users, items, timestamps) of all batches."""
    return tuple(np.concatenate(parts) for parts in zip(*generate(parameters).batches, strict=True))


def test_the_same_parameters_give_the_same_data_on_every_machine():
    made = generate(SMALL)
    features = made.items.features
    arrays = [
        *_drawn(SMALL),
        made.items.first_seen,
        features["category"].codes,
        features["tags"].codes.offsets,
        features["tags"].codes.values,
        made.profiles["region"].codes,
        made.profiles["age_group"].codes,
    ]
    octets = b"".join(np.ascontiguousarray(array).astype(f"<i{array.itemsize}").tobytes() for array in arrays)
    titles = "\n".join(str(title) for title in features["title"].values).encode()
    assert (
        hashlib.sha256(octets + titles).hexdigest()
        == "94ad96fb73f54bf71e5ab9a5d85f75f5fef5202f43daddaf93275eb86e97598f"
    )


def test_random_numbers_are_those_of_splitmix64():
    assert [bits_at(U(0), count) for count in range(2)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_users_do_not_depend_on_the_block_that_they_are_made_in():
    world = make_world(Parameters(**SMALL))
    offsets = plan(world, 0, 40)
    items, times = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int64)
    live(world, 0, offsets, items, times)
    for user in (0, 17, 39):
        alone = plan(world, user, 1)
        some_items, some_times = np.empty(alone[-1], np.int32), np.empty(alone[-1], np.int64)
        live(world, user, alone, some_items, some_times)
        assert np.array_equal(some_items, items[offsets[user] : offsets[user + 1]])
        made = some_items >= 0
        assert np.array_equal(some_times[made], times[offsets[user] : offsets[user + 1]][made])


@settings(max_examples=25, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "items": st.integers(1, 400),
            "interactions": st.integers(1, 3000),
            "seed": st.integers(0, 2**63 - 1),
            "length": st.integers(1, 60),
            "interests": st.integers(1, 8),
            "category_items": st.integers(4, 50),
            "relatedness": st.floats(0, 1),
            "browsing": st.floats(0, 1),
            "arriving": st.floats(0, 1),
        }
    )
)
def test_nobody_chooses_an_item_twice_or_before_it_is_there(parameters):
    made = generate(parameters)
    users, items, times = _drawn(parameters)
    assert users.dtype == items.dtype == np.int32
    assert times.dtype == np.int64
    assert np.array_equal(np.unique(users), np.arange(made.users))
    assert (np.diff(users) >= 0).all()
    assert (np.diff(times)[np.diff(users) == 0] > 0).all()
    assert 0 <= items.min() <= items.max() < made.items.size == parameters["items"]
    assert (made.items.first_seen[items] <= times).all()
    assert len(np.unique(users * np.int64(made.items.size) + items)) == len(items)
    assert all(len(feature) == made.items.size for feature in made.items.features.values())
    assert all(len(feature) == made.users for feature in made.profiles.values())


def test_sizes_are_those_asked_for():
    users, items, times = _drawn({"items": 5000, "interactions": 400_000, "length": 40})
    lengths = np.bincount(users)
    assert len(lengths) == 10_000
    assert lengths.mean() == pytest.approx(40, rel=0.02)
    assert lengths.min() == 8
    assert lengths.max() > 160
    assert len(np.unique(items)) > 4500
    cut = START + PERIOD // 2  # users overlap in time: a temporal cut finds many with a past and a future
    before, after = np.bincount(users, times < cut), np.bincount(users, times >= cut)
    assert np.mean((before >= 5) & (after >= 5)) > 0.1


def test_popularity_is_skewed_and_items_appear_over_time():
    made = generate({"items": 5000})
    counts = np.sort(np.bincount(_drawn({"items": 5000})[1], minlength=5000))[::-1]
    assert 0.3 < counts[:500].sum() / counts.sum() < 0.7
    later = made.items.first_seen > START
    assert later.mean() == pytest.approx(0.25, abs=0.03)
    assert made.items.first_seen.max() < START + PERIOD


def test_items_are_described_by_department_category_tags_and_title():
    features = generate({"items": 30_000, "category_items": 100}).items.features
    category, department, tags = features["category"], features["department"], features["tags"]
    assert np.array_equal(department.codes, category.codes // 10)
    assert len(set(category.names)) == len(category.names) == 300
    assert len(set(department.names)) == len(department.names) == 30
    assert set(tags.codes.lengths.tolist()) == {1, 2, 3}
    for item in (0, 1, 12_345):
        assert str(features["title"].values[item]).endswith(f" {category.names[category.codes[item]]} {item}")
        assert len(set(tags.codes[item].tolist())) == len(tags.codes[item])
    sizes = np.bincount(category.codes)
    assert sizes.min() >= 45
    assert sizes.max() <= 160


def test_there_is_a_word_for_everything():
    assert (len(synthetic_words.REGIONS), len(synthetic_words.AGE_GROUPS)) == (REGIONS, AGE_GROUPS)
    assert {len(nouns) for nouns in synthetic_words.DEPARTMENTS.values()} == {DEPARTMENT}
    assert len(synthetic_words.TAGS) == 32  # a power of two: an odd stride meets no tag twice


def test_profiles_tell_of_interests():
    parameters = {"items": 4000, "interactions": 200_000}
    made = generate(parameters)
    users, items, _ = _drawn(parameters)
    department = made.items.features["department"].codes[items]
    region = made.profiles["region"].codes[users]
    table = np.zeros((8, department.max() + 1))
    np.add.at(table, (region, department), 1)
    shares = table / table.sum(1, keepdims=True)
    assert np.abs(shares - shares.mean(0)).sum(1).mean() > 0.1  # chance alone: 0.02


def test_another_seed_is_another_world():
    assert not np.array_equal(_drawn(SMALL)[1][:1000], _drawn({**SMALL, "seed": 8})[1][:1000])


def test_the_card_shows_every_parameter_with_its_default():
    card = tomllib.loads((Path(bench_datasets.__file__).parent / "synthetic.toml").read_text())
    assert card["generator"]["parameters"] == asdict(Parameters())


def test_wrong_parameters_are_named():
    with pytest.raises(UnknownName, match="Did you mean 'items'"):
        generate({"item": 10})
    with pytest.raises(ParameterError, match="drift=2"):
        generate({"drift": 2.0})


MEASURE = """
import sys
from bench_datasets import synthetic_words
from bench_datasets.synthetic import generate
def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
def grown(items, interactions):
    before = peak()
    for batch in generate({"items": items, "interactions": interactions}).batches:
        pass
    return peak() - before
grown(2_000, 300_000)
print(grown(2_000, 3_000_000), grown(400_000, 300_000))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_bounded_by_the_items_not_the_interactions():
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True, timeout=120)
    more_interactions, more_items = map(int, done.stdout.split())
    assert more_interactions < 4 << 20
    assert more_items < 200 * 400_000
