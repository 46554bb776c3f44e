"""Side information as codes."""

import numpy as np
import pytest

from bench import Categorical, MultiCategorical, Numeric, Ragged, Text
from bench_neural.vocabulary import Vocabulary

FEATURES = {
    "colour": Categorical(np.array([2, -1, 0, 2], np.int32), ["red", "green", "blue"]),
    "tags": MultiCategorical(Ragged.from_rows([[0, 1], [], [1], [1, 0]]), ["a", "b"]),
    "title": Text(["", "", "", ""]),
    "year": Numeric(np.array([1990, 2000, np.nan, 2010], np.float32)),
}


def test_each_category_that_training_saw_has_a_row_and_no_other() -> None:
    vocabulary = Vocabulary.fit({"colour": FEATURES["colour"]})
    codes, weights = vocabulary.encode({"colour": FEATURES["colour"]}, 4)
    assert codes.tolist() == [[2], [0], [1], [2]]
    assert weights.tolist() == [[1], [0], [1], [1]]
    new = Categorical(np.array([1, 3], np.int32), ["red", "green", "blue", "new"])
    assert vocabulary.encode({"colour": new}, 2)[0].tolist() == [[0], [0]]


def test_the_codes_of_one_feature_share_its_weight() -> None:
    _, weights = Vocabulary.fit({"tags": FEATURES["tags"]}).encode({"tags": FEATURES["tags"]}, 4)
    assert weights.sum(1).tolist() == [1, 0, 1, 1]
    assert sorted(weights[0]) == [0.5, 0.5]


def test_numbers_fall_into_quantile_bins_and_missing_ones_into_none() -> None:
    vocabulary = Vocabulary.fit({"year": FEATURES["year"]})
    year = Numeric(np.array([1900, 1995, 2050, np.nan], np.float32))
    codes, weights = vocabulary.encode({"year": year}, 4)
    assert 0 < codes[0, 0] < codes[1, 0] < codes[2, 0] < vocabulary.size
    assert weights[:, 0].tolist() == [1, 1, 1, 0]


def test_what_was_fitted_survives_being_stored() -> None:
    vocabulary = Vocabulary.fit(FEATURES)
    again = Vocabulary.of_arrays(vocabulary.arrays())
    assert again.size == vocabulary.size
    for one, other in zip(vocabulary.encode(FEATURES, 4), again.encode(FEATURES, 4), strict=True):
        np.testing.assert_array_equal(one, other)


def test_rows_without_features_are_unknown() -> None:
    codes, weights = Vocabulary.fit(FEATURES).encode({}, 3)
    assert codes.shape == (3, 1) and not codes.any() and not weights.any()


def test_a_feature_that_changed_its_kind_is_refused() -> None:
    vocabulary = Vocabulary.fit({"year": FEATURES["year"]})
    with pytest.raises(TypeError, match="year"):
        vocabulary.encode({"year": FEATURES["colour"]}, 4)
