"""Hard negatives: mined from wrong answers alone, drawn as often as said, and corrected for."""

import numpy as np
import pytest
import torch

from bench import Answer, Catalog, Evaluation, Interactions, Ragged, Requests, TrainingData
from bench_dvf.mining import MiningWindows
from bench_neural.negatives import NegativeSampler


def test_wrong_answers_are_counted_and_drawn():
    by_user = Ragged.from_rows([np.arange(4, dtype=np.int32) + 4 * user for user in range(5)])
    data = TrainingData(
        Interactions(by_user.rows().astype(np.int32), by_user.values, by_user),
        Catalog(30),
        Evaluation(
            Requests(np.zeros(0, np.int64), np.zeros(0, np.int32), Ragged.empty(0), Ragged.empty(0)), Ragged.empty(0)
        ),
    )
    generator = torch.Generator().manual_seed(0)
    counts = np.bincount(by_user.values, minlength=30)
    sampler, network = NegativeSampler(counts, generator), torch.nn.Module()
    windows = MiningWindows(data.interactions, 8, 0.0, 2, generator)
    windows.mine_into(sampler, network, 0.5)
    windows.order()
    even = sampler.log_p.clone()
    torch.testing.assert_close(even.exp(), torch.from_numpy(counts / 20).float())

    def search(requests: Requests, k: int) -> Answer:
        for row in range(len(requests)):
            window, history = requests.exclude[row], requests.history[row]
            assert len(window) == 4 and set(history) < set(window) and list(history) == sorted(history)
        ids = np.full((len(requests), k), -1, np.int32)
        ids[:, :2] = [3, 25]  # 25 was never met in training
        return Answer(ids)

    windows.mine(data, search)
    torch.testing.assert_close(sampler.log_p, even)  # what was mined counts from the next epoch on
    windows.order()
    chances = sampler.log_p.exp()
    assert float(chances[3]) == pytest.approx(0.5 + 0.5 / 20, abs=1e-6) and float(chances.sum()) == pytest.approx(1.0)
    assert chances[25] == 0 and float(chances[0]) == pytest.approx(0.5 / 20, abs=1e-6)
    drawn = sampler.draw(10_000)
    times = (sampler.log_q(drawn.ids, 10_000) - drawn.log_q).exp()
    assert float(times[drawn.ids == 3]) == pytest.approx(5250, rel=0.05)
