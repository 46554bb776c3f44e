"""What is said of stored durations, beside what pyperf says of the same ones."""

import numpy as np
import pytest

from bench.data.ragged import Ragged
from bench.data.tables import Requests
from bench.measure import latency
from bench.run.timed import _per_second

pyperf = pytest.importorskip("pyperf", reason="pyperf, the independent tool, is not installed: pip install pyperf")


@pytest.mark.parametrize("calls", [100, 101, 2000])
def test_percentiles_are_those_of_pyperf_on_the_same_durations(calls):
    nanoseconds = np.random.default_rng(calls).lognormal(13, 0.4, calls).astype(np.int64)
    other = pyperf.Benchmark(
        [pyperf.Run((nanoseconds / 1e9).tolist(), metadata={"name": "calls"}, collect_metadata=False)]
    )
    said = latency.summary(nanoseconds)
    expected = {"p50": other.median(), "p95": other.percentile(95), "p99": other.percentile(99), "mean": other.mean()}
    assert said == pytest.approx({name: 1e3 * value for name, value in expected.items()})


def test_throughput_is_requests_over_pyperfs_mean():
    spent = np.random.default_rng(0).lognormal(-3, 0.2, 20)
    requests = Requests(np.arange(7), np.full(7, -1, np.int32), Ragged.empty(7), Ragged.empty(7))
    other = pyperf.Benchmark([pyperf.Run(spent.tolist(), metadata={"name": "batch"}, collect_metadata=False)])
    assert _per_second(requests, spent) == pytest.approx(7 / other.mean())
