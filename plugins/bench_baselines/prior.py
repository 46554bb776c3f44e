"""What is preferred where a history says nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def popularity_prior(counts: NDArray[np.integer], size: int) -> NDArray[np.float32]:
    """-1 / (1 + interactions) of each item of a catalog of `size`: below any positive score, the popular ones first.

    counts: int [at most size], interactions of the items that training knows; the others have none.
    """
    prior = np.full(size, -1, np.float32)
    prior[: len(counts)] = -1 / (1 + counts.astype(np.float64))
    return prior
