"""Each protocol, worked by hand and as an invariant."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.protocols import (
    LeaveLastOut,
    NextItem,
    Temporal,
    UserHoldout,
    UserRatio,
    describe,
    parse,
    protocols,
)
from bench.data.splits import HELD_OUT_DIVISOR, Split
from bench.errors import ParameterError, ProtocolError, UnknownName

OF_SEQUENCES = sorted(set(protocols()) - {"nearest"})  # test_nearest.py has that of vectors
SEQUENCES = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=14), min_size=6, max_size=30)


def places(part):
    """(user, history's length, end of the targets) of each request."""
    return list(zip(part.users.tolist(), part.cuts.tolist(), part.stops.tolist(), strict=True))


def test_user_holdout_asks_for_the_second_half_of_users_who_do_not_train(make_dataset):
    data = make_dataset([list(range(10 + user)) for user in range(10)] + [[1, 2, 3]])
    split = UserHoldout().split(data)
    assert len(split.test) == len(split.validation) == 10 // HELD_OUT_DIVISOR
    for user, cut, stop in places(split.test) + places(split.validation):
        assert (cut, stop) == ((10 + user) // 2, 10 + user)
        assert split.training[user] == 0
    held_out = {*split.test.users.tolist(), *split.validation.users.tolist()}
    assert len(held_out) == 4 and 10 not in held_out
    assert all(split.training[user] == 10 + user for user in set(range(10)) - held_out)
    assert split.training[10] == 3  # too short to be held out, so it trains


def test_user_holdout_of_an_odd_sequence_asks_for_the_longer_half(make_dataset):
    split = UserHoldout(min_interactions=5).split(make_dataset([[1, 2, 3, 4, 5]] * 5))
    assert places(split.test) == [(split.test.users[0], 2, 5)]


@pytest.mark.parametrize(("length", "position"), [(3, 2), (4, 2), (5, 3), (10, 5), (11, 6)])
def test_next_item_asks_for_the_item_at_half_of_the_sequence(make_dataset, length, position):
    split = NextItem().split(make_dataset([list(range(length))] * 5))
    assert places(split.test) == [(split.test.users[0], position - 1, position)]
    assert split.training[split.test.users[0]] == 0


def test_leave_last_out_by_hand(make_dataset):
    split = LeaveLastOut().split(make_dataset([[0, 1, 2, 3], [4, 5, 6], [7, 8], [9]]))
    assert split.training.tolist() == [2, 1, 2, 1]
    assert places(split.validation) == [(0, 2, 3), (1, 1, 2)]
    assert places(split.test) == [(0, 3, 4), (1, 2, 3)]


def test_temporal_by_hand(make_dataset):
    times = [[1, 2, 3, 8, 9], [4, 5, 6, 7], [8, 9], [1, 2]]
    data = make_dataset([[0] * len(row) for row in times], times=times)
    split = Temporal(validation_from="6", test_from="8").split(data)
    assert split.training.tolist() == [3, 2, 0, 2] and split.training_ends == 6
    assert places(split.validation) == [(1, 2, 4)]
    assert places(split.test) == [(0, 3, 5)]  # user 2 has no history and user 1 no target
    assert split.test.times.tolist() == [8]
    new_too = Temporal(validation_from="6", test_from="8", min_interactions=0).split(data)
    assert places(new_too.test) == [(0, 3, 5), (2, 0, 2)]


def test_temporal_shares_are_shares_of_the_interactions(make_dataset):
    data = make_dataset([list(range(10))] * 10, times=[list(range(user, 100, 10)) for user in range(10)])
    split = Temporal(test_share=0.1, validation_share=0.2).split(data)
    assert split.training.sum() == 70
    assert (split.validation.stops - split.validation.cuts).sum() == 20
    assert (split.test.stops - split.test.cuts).sum() == 10
    assert set(split.test.times.tolist()) == {90}


def test_temporal_takes_dates(make_dataset):
    day = 86_400
    data = make_dataset([[1, 2, 3, 4]] * 5, times=[[0, day, 2 * day, 3 * day]] * 5)
    split = Temporal(validation_from="1970-01-03", test_from="1970-01-04").split(data)
    assert split.training_ends == 2 * day and split.test.times.tolist() == [3 * day] * 5
    with pytest.raises(ParameterError, match="test_from='soon' is neither seconds nor an ISO date"):
        Temporal(test_from="soon").split(data)


def test_temporal_on_coarse_periods_puts_the_validation_cut_before_the_test_cut(make_dataset):
    data = make_dataset([[1, 2, 3]] * 5, times=[[1, 2, 3]] * 5, time="periods")
    split = Temporal().split(data)
    assert split.training_ends == 2 and split.test.times.tolist() == [3] * 5


def test_temporal_refuses_a_single_moment(make_dataset):
    with pytest.raises(ProtocolError, match=r"leave a part empty.*Give validation_from and test_from"):
        Temporal().split(make_dataset([[1, 2, 3]] * 5, times=[[7, 7, 7]] * 5))


def test_user_ratio_by_hand(make_dataset):
    split = UserRatio().split(make_dataset([list(range(10)), list(range(5)), [1, 2, 3, 4]]))
    assert split.training.tolist() == [7, 3, 4]
    assert places(split.validation) == [(0, 7, 8), (1, 3, 4)]
    assert places(split.test) == [(0, 8, 10), (1, 4, 5)]


def test_user_ratio_refuses_a_validation_share_beyond_the_training_share(make_dataset):
    with pytest.raises(ParameterError, match="less than train_share"):
        UserRatio(train_share=0.2, validation_share=0.3).split(make_dataset([[1, 2, 3, 4, 5]]))


@pytest.mark.parametrize("name", ["leave-last-out", "user-ratio", "temporal"])
def test_a_sample_of_the_users_is_asked_and_all_train(make_dataset, name):
    data = make_dataset([list(range(10))] * 20, times=[list(range(10))] * 20)
    split, whole = parse(f"{name}:users=5").split(data), parse(name).split(data)
    assert len(split.test) == len(split.validation) == 5 and len(whole.test) == 20
    assert split.training.tolist() == whole.training.tolist()
    assert places(parse(f"{name}:users=5").split(data).test) == places(split.test)
    assert places(parse(f"{name}:users=5,seed=1").split(data).test) != places(split.test)


@pytest.mark.parametrize("name", OF_SEQUENCES)
def test_data_without_any_order_are_refused_with_the_mend(make_dataset, name):
    with pytest.raises(ProtocolError, match=r"made: the protocol .* user-holdout:order=seeded"):
        parse(name).split(make_dataset([list(range(12))] * 10, time="none"))


def test_data_with_an_order_but_no_time_are_refused_by_temporal_alone(make_dataset):
    data = make_dataset([list(range(12))] * 10, time="order")
    for name in OF_SEQUENCES:
        if name == "temporal":
            with pytest.raises(ProtocolError, match=r"only each user's order. Use --protocol leave-last-out"):
                parse(name).split(data)
        else:
            assert len(parse(name).split(data).test)


def test_a_seeded_order_must_be_asked_for_and_stays_within_users(make_dataset):
    data = make_dataset([list(range(12))] * 10, time="none")
    split = parse("user-holdout:order=seeded").split(data)
    assert split.order is not None
    assert data.interactions.users[split.order].tolist() == data.interactions.users.tolist()
    assert sorted(split.order.tolist()) == list(range(120)) and split.order.tolist() != list(range(120))
    assert split.order.tolist() == parse("user-holdout:order=seeded").split(data).order.tolist()


def test_too_few_users_are_refused(make_dataset):
    with pytest.raises(ProtocolError, match=r"4 users have the 10 interactions.*Lower min_interactions"):
        UserHoldout().split(make_dataset([list(range(10))] * 4 + [[1]]))


def test_held_out_users_change_with_the_seed_alone(make_dataset):
    data = make_dataset([list(range(10))] * 100)
    drawn = {seed: UserHoldout(seed=seed).split(data).test.users.tolist() for seed in (0, 0, 1)}
    assert drawn[0] != drawn[1]
    assert UserHoldout(seed=0).split(data).test.users.tolist() == drawn[0]


@given(SEQUENCES, st.sampled_from(OF_SEQUENCES), st.integers(0, 3), st.randoms(use_true_random=False))
def test_what_every_split_keeps(make_dataset, sequences, name, seed, random):
    times = [sorted(random.randrange(50) for _ in row) for row in sequences]
    data = make_dataset(sequences, times=times)
    try:
        split: Split = parse(f"{name}:seed={seed}").split(data)
    except ProtocolError:
        return
    lengths = data.interactions.by_user.lengths
    assert (split.training >= 0).all() and (split.training <= lengths).all()
    for part in (split.validation, split.test):
        assert (np.diff(part.users) > 0).all()  # one request a user, in order
        assert (part.cuts >= 0).all() and (part.cuts < part.stops).all() and (part.stops <= lengths[part.users]).all()
        assert (split.training[part.users] <= part.cuts).all()  # no target trains
    shared = np.intersect1d(split.validation.users, split.test.users, return_indices=True)
    assert (split.validation.stops[shared[1]] <= split.test.cuts[shared[2]]).all()  # no test target is a validation one
    if name in ("user-holdout", "next-item"):
        assert not len(shared[0])
        assert not split.training[split.validation.users].any() and not split.training[split.test.users].any()
    if name == "temporal":
        positions = np.arange(len(data.interactions)) - data.interactions.by_user.offsets[data.interactions.users]
        trained = data.interactions.timestamps[positions < split.training[data.interactions.users]]
        for part in (split.validation, split.test):
            assert len(part) == 0 or trained.max() < part.times.min()


def test_sequences_are_not_asked_for_neighbours(make_dataset):
    with pytest.raises(ProtocolError, match="nearest is for data sets of vectors, such as mnist"):
        parse("nearest").split(make_dataset([list(range(12))] * 10))


def test_parse_reads_settings_and_suggests_names():
    assert parse("user-holdout:users=500,seed=1") == UserHoldout(users=500, seed=1)
    assert parse("temporal:test_share=.2,test_from=2001-02-03T04:05") == Temporal(
        test_share=0.2, test_from="2001-02-03T04:05"
    )
    with pytest.raises(UnknownName, match="Did you mean 'user-holdout'"):
        parse("user-holdut")
    with pytest.raises(UnknownName, match="Did you mean 'users'"):
        parse("user-holdout:user=5")
    with pytest.raises(ParameterError, match="'users' is not of the form key=value"):
        parse("user-holdout:users")
    with pytest.raises(ParameterError, match="at least 1"):
        parse("user-holdout:users=0")


@pytest.mark.parametrize("name", sorted(protocols()))
def test_every_protocol_says_its_rule_and_all_its_parameters(name):
    protocol = parse(name)
    assert protocol.name == name and (type(protocol).__doc__ or "").splitlines()[0].endswith(".")
    assert describe(protocol)["parameters"]["seed"] == 0


def test_moments_are_said_as_dates_and_periods_as_numbers(make_dataset):
    with pytest.raises(ProtocolError, match=r"and 2030-01-01T00:00:00 \(test\).*run from 2020-09-13T12:26:40"):
        Temporal(test_from="2030-01-01").split(make_dataset([[1, 2]] * 5, times=[[1_600_000_000, 1_600_000_001]] * 5))
    with pytest.raises(ProtocolError, match=r"run from 7 to 7\."):
        Temporal().split(make_dataset([[1, 2]] * 5, times=[[7, 7]] * 5))
