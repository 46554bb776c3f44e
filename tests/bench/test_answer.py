import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench import Answer, Ragged


def expected(ids, scores, k, exclude):
    rows = []
    for row, banned in zip(range(len(scores)), exclude, strict=True):
        own = ids if np.ndim(ids) == 1 else ids[row]
        pairs = [
            (-score, item) for item, score in zip(own, scores[row], strict=True) if item >= 0 and item not in banned
        ]
        rows.append(([item for _, item in sorted(pairs)] + [-1] * k)[:k])
    return rows


@given(st.data(), st.integers(1, 4), st.integers(1, 12), st.integers(1, 15), st.booleans())
def test_top_equals_a_sort_of_what_is_not_excluded(data, rows, width, k, shared):
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    ids = np.stack([rng.permutation(20)[:width] for _ in range(rows)]).astype(np.int32)
    ids = ids[0] if shared else np.where(rng.random(ids.shape) < 0.2, -1, ids).astype(np.int32)
    scores = rng.permutation(rows * width).reshape(rows, width).astype(np.float32)
    exclude = [np.flatnonzero(rng.random(20) < 0.3) for _ in range(rows)]
    answer = Answer.top(ids, scores, k, Ragged.from_rows(exclude))
    assert answer.ids.tolist() == expected(ids, scores, k, exclude)
    assert answer.ids.dtype == np.int32
    assert answer.ids.shape == (rows, k)


def test_top_leaves_its_arguments_alone_and_works_without_exclusions():
    ids, scores = np.arange(3, dtype=np.int32), np.array([[1, 3, 2]], np.float32)
    answer = Answer.top(ids, scores, 2)
    assert answer.ids.tolist() == [[1, 2]]
    assert answer.scores.tolist() == [[3, 2]]
    assert scores.tolist() == [[1, 3, 2]]
