import numpy as np
import pytest

from bench import Answer, Catalog, InvalidAnswer, Ragged, Requests
from bench.run.answers import check

REQUESTS = Requests(
    keys=np.array([70, 71]),
    users=np.array([-1, -1], np.int32),
    history=Ragged.from_rows([[1], [2]]),
    exclude=Ragged.from_rows([[1], [2]]),
)
CATALOG = Catalog(5)


def refused(ids, said, catalog=CATALOG, scores=None, work=None):
    with pytest.raises(InvalidAnswer, match=said):
        check(Answer(ids, scores, work), REQUESTS, 2, catalog, "mine")


def array(rows):
    return np.array(rows, np.int32)


def test_a_valid_answer_passes_with_pads_at_the_end():
    for ids in ([[2, 3], [1, 0]], [[2, -1], [-1, -1]]):
        assert check(Answer(array(ids)), REQUESTS, 2, CATALOG, "mine").ids.tolist() == ids


def test_what_is_wrong_is_named_with_method_and_request():
    refused(array([[2, 3], [1, 1]]), "mine: request 71: an item twice")
    refused(array([[2, 5], [1, 0]]), "request 70: ids outside")
    refused(array([[2, -2], [1, 0]]), "request 70: ids outside")
    refused(array([[2, 3], [-1, 0]]), "request 71: an item after a -1 pad")
    refused(array([[2, 1], [1, 0]]), "request 70: an excluded")
    refused(array([[2, 3], [1, 0]]), "request 71: an item that is not eligible", Catalog(5, eligible=array([0, 2, 3])))
    nan = np.array([[1, np.nan], [1, 0]], np.float32)
    refused(array([[2, 3], [1, 0]]), "request 70: a score that is NaN", scores=nan)


def test_shapes_and_types_are_held():
    refused(array([[2, 3, 4], [1, 0, 3]]), r"shape \[2, 2\], not int32 \[2, 3\]")
    refused(np.array([[2, 3], [1, 0]]), "not int64")
    refused([[2, 3], [1, 0]], "not list")
    good = array([[2, 3], [1, 0]])
    refused(good, r"scores must be an array of numbers, of shape \[2, 2\]", scores=np.zeros((2, 1), np.float32))
    refused(good, "scores must be .*, not str", scores="high")
    refused(
        good, r"work must be an array of whole numbers, of shape \[2\], not int32 \[3\]", work=np.zeros(3, np.int32)
    )
    refused(good, "work must be .*, not float64", work=np.full(2, np.nan))
    refused(good, "request 71: work below 0", work=array([3, -1]))
    with pytest.raises(InvalidAnswer, match="returned list"):
        check([1], REQUESTS, 2, CATALOG, "mine")
    with pytest.raises(InvalidAnswer, match="returned NoneType"):
        check(None, REQUESTS, 2, CATALOG, "mine")


def test_a_pad_is_neither_a_repeat_nor_an_excluded_item():
    check(Answer(array([[-1, -1], [-1, -1]])), REQUESTS, 2, Catalog(5, eligible=array([])), "mine")
