import pytest

from bench.testing import check_method
from bench_baselines.bayes import Bayes
from bench_baselines.ease import EASE
from bench_baselines.item_cf import ItemCF
from bench_baselines.null import Null
from bench_baselines.popularity import Popularity


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (Null, {}),
        (Bayes, {}),
        (Popularity, {}),
        (Popularity, {"half_life": 10}),
        (ItemCF, {}),
        (ItemCF, {"neighbours": 3, "shrink": 5}),
        (EASE, {"regularisation": 20}),
    ],
)
def test_baselines_keep_the_contract(method, settings):
    check_method(method, settings)
