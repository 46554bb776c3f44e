"""The mixture of logits and its two stages."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bench import Context
from bench.testing import check_method
from bench.testing.world import make_world
from bench_neural.scorers import Asked, MixtureOfLogits
from bench_vector.backends import Effort
from bench_vector.faiss_index import Faiss
from bench_vector.mixture import Mixture, asking, component_vectors
from bench_vector.mol import MoL

SMALL = {"dim": 8, "length": 12, "blocks": 1, "epochs": 2, "negatives": 20, "components": 3}


@pytest.mark.parametrize("settings", [{}, {"backend": "hnsw", "m": 4}, {"refine": 1}, {"backend": "ivf", "lists": 3}])
def test_mol_keeps_the_contract(settings: dict[str, object]) -> None:
    check_method(MoL, {**SMALL, **settings})


def mixed(seed: int, items: int) -> tuple[MixtureOfLogits, torch.Tensor, Asked]:
    """A random mixture of three, the item side of so many items, and what twenty requests ask."""
    torch.manual_seed(seed)
    scorer = MixtureOfLogits(6, 3).eval()
    table = scorer.items(torch.randn(items, 7))
    return scorer, table, scorer.asked(torch.randn(20, 6), torch.zeros(20, 0, 12), torch.zeros(20, 0, dtype=torch.long))


def test_candidates_of_each_component_lead_to_the_best(context: Context) -> None:
    with torch.inference_mode():
        scorer, table, asked = mixed(3, 400)
        exact = scorer.block(asked, table).numpy()
        ids = np.arange(400, dtype=np.int32)
        found = tuple(Faiss.build(one, ids, "Flat") for one in component_vectors(scorer, table))
        mixture = Mixture(ids, scorer, table, found)
        best = -np.sort(-exact, 1)[:, :10]
        recalls = []
        for refine in (1, 2, 4, 40):
            answer = mixture.nearest(asking(asked), 10, Effort(refine=refine), 1)
            np.testing.assert_allclose(  # the score of an answer is the model's
                np.take_along_axis(exact, answer.positions, 1), answer.scores, rtol=1e-4, atol=1e-5
            )
            recalls.append(np.mean(answer.scores >= best[:, -1:] - 1e-5))
            assert answer.spent is not None and answer.spent <= 20 * min(400, 30 * refine)
    assert recalls == sorted(recalls) and recalls[-1] == 1.0 and recalls[0] < 1.0


def test_what_no_list_holds_scores_no_more_than_the_largest_last_value(context: Context) -> None:
    with torch.inference_mode():
        scorer, table, asked = mixed(4, 300)
        exact = scorer.block(asked, table).numpy()
        parts = asked.parts[0].numpy()
        products = np.stack(
            [
                np.pad(parts[:, at], ((0, 0), (0, 1)), constant_values=1) @ one.T
                for at, one in enumerate(component_vectors(scorer, table))
            ],
            1,
        )  # (B, K, C)
    last = -np.sort(-products, 2)[:, :, 9]  # (B, K)
    outside = (products < last[:, :, None]).all(1)
    assert outside.any() and (exact <= last.max(1)[:, None] + 1e-4)[outside].all()


def test_it_answers_alike_after_it_is_saved(context: Context, tmp_path: Path) -> None:
    world = make_world()
    method = MoL(**{**SMALL, "backend": "hnsw"})  # type: ignore[arg-type]
    method.train(world.training, context)
    method.index(world.catalog, context)
    again = MoL(**{**SMALL, "backend": "hnsw"})  # type: ignore[arg-type]
    for phase in ("train", "index"):
        (tmp_path / phase).mkdir()
        method.save(tmp_path / phase, phase)
        again.load(tmp_path / phase, phase, context)
    before, after = (one.query(world.requests, 5, context) for one in (method, again))
    np.testing.assert_array_equal(before.ids, after.ids)
