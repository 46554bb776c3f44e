"""The synthetic regret of "Learning Optimal Tree Models under Beam Search" (OTM, Zhuo et al., ICML 2020, table 2).

    python benchmarks/otm_regret.py [--runs 20] [--json FILE] [--jobs 2]
    python benchmarks/otm_regret.py --tune [--runs 3]

1,000 labels with p(y_j = 1 | x) = sigmoid(w_j x - 5), x and w_j ~ N(0, I) in 10 dimensions; 10,000 instances to learn
from, 1,000 to search for; a random binary tree and a linear scorer on each node; a beam of 50. regret@m is the mean of
(sum of the m largest p - sum of p over the m labels found) / m. A run has its own data, tree and first weights, the
same for all methods, and one thread: its digits do not depend on how many run at once.

The paper gives neither optimiser nor negatives. Here every method takes minibatches of 200 with Adam; the loss is the
cross-entropy of the nodes that an instance trains. `--tune` prints the grid, the same for all and on other seeds, by
which SETTINGS were chosen: learning rate, epochs and schedule; then the one number that a method has of its own.

| method | label of a node; nodes that an instance trains | its own number |
|---|---|---|
| plt | a positive below; children of such nodes (the search multiplies probabilities) | |
| tdm | a positive below; those nodes, and others drawn from each level | how many others, 0: all |
| otm | pseudo targets; what a beam search by the scores as they are visits | |
| otm_no_beam | pseudo targets; nodes of tdm: the paper's OTM (-BS) | how many others, 0: all |
| otm_no_pseudo | a positive below; nodes of otm: the paper's OTM (-OptEst) | |
| otm_wide | as otm, with another beam while it trains | that beam |
| otm_plus | ours, see `survival` in otm_learning.py | temperature |
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from otm_learning import BATCH, Data, Learner, Settings, World, drawn
from torch import Tensor

from bench import Ragged
from bench_tree.search import Beam, beam_search

CUTS = (1, 10, 20, 50)  # m of regret@m
FIRST_TUNING_SEED = 1_000_000  # runs that are reported have the seeds 0, 1, ..

OWN: dict[str, tuple[float, ...]] = {  # the first while the optimiser is chosen
    "plt": (0,),
    "tdm": (0, 300, 100),
    "otm": (0,),
    "otm_no_beam": (0, 300, 100),
    "otm_no_pseudo": (0,),
    "otm_wide": (65, 80, 100),
    "otm_plus": (0.3, 0.15, 0.6),
}
SETTINGS = {  # what --tune prints as best
    "plt": Settings(0.01, 5, True),
    "tdm": Settings(0.03, 20, True, own=0),
    "otm": Settings(0.1, 20, True),
    "otm_no_beam": Settings(0.1, 5, True, own=0),
    "otm_no_pseudo": Settings(0.1, 20, True),
    "otm_wide": Settings(0.1, 10, True, own=80),
    "otm_plus": Settings(0.1, 20, True, own=0.3),
}


@dataclass(frozen=True)
class Table:
    """A bench_index Scorer that holds the scores float32 [B, nodes] of all nodes."""

    scores: NDArray[np.float32]

    def part(self, start: int, stop: int) -> Self:
        return type(self)(self.scores[start:stop])

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.scores[:, start:stop].copy()

    def pairs(self, nodes: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.take_along_axis(self.scores, nodes.astype(np.int64), 1)


def regrets(data: Data, weights: Tensor, beam: int, rule: str) -> list[float]:
    """regret@m at each of CUTS."""
    most = min(max(CUTS), data.eta.shape[1])
    leaves = np.arange(data.eta.shape[1], dtype=np.int32)
    scorer = Table((data.x_test @ weights).numpy())
    found = beam_search(data.tree, leaves, scorer, Beam(beam, rule=rule), most, Ragged.empty(len(data.eta)))
    reached = data.eta.gather(1, torch.from_numpy(found.ids.astype(np.int64)))
    lost = (data.eta.topk(most).values - reached).double()
    return [float(lost[:, :cut].sum(1).mean() / cut) for cut in CUTS]


@dataclass(frozen=True)
class Trial:
    """One method on the data of one seed."""

    world: World
    seed: int
    method: str
    settings: Settings

    def run(self) -> dict[str, Any]:
        """Its regrets, those of an exact search with the same weights, and the density of the labels."""
        data = drawn(self.world, self.seed)
        weights = Learner(self.method, self.settings, data, self.world.beam, self.seed).learn()
        rule = "sigmoid" if self.method == "plt" else "own"
        return {
            "regrets": regrets(data, weights, self.world.beam, rule),
            "exact": regrets(data, weights, self.world.labels, rule),
            "density": float(data.y.mean()),
            "density_at_zero": data.at_zero,
        }


def ran(trials: Sequence[Trial], jobs: int) -> list[dict[str, Any]]:
    """What each trial gave, `jobs` at a time; says on stderr how long the rest will take."""
    begun, results = time.perf_counter(), []
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for trial, result in zip(trials, pool.map(Trial.run, trials), strict=True):
            results.append(result)
            took = time.perf_counter() - begun
            left = took / len(results) * (len(trials) - len(results))
            name = f"{len(results)}/{len(trials)} {trial.method}, seed {trial.seed}"
            print(f"\r{name}: {took:.0f} s, {left:.0f} s left      ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def tune(world: World, methods: Sequence[str], seeds: Sequence[int], jobs: int) -> None:
    """Print the grid. The best has the least geometric mean over seeds' mean regrets, every m counting alike."""

    def tried(method: str, grid: Sequence[Settings]) -> Settings:
        columns = "  ".join(f"{cut:>6}" for cut in CUTS)
        print(f"\n{method:14} rate epochs schedule  own  {columns}  geometric mean")
        results = ran([Trial(world, seed, method, one) for one in grid for seed in seeds], jobs)
        means = np.array([one["regrets"] for one in results]).reshape(len(grid), len(seeds), -1).mean(1)
        whole = np.exp(np.log(means).mean(1))
        for one, row, mean in zip(grid, means, whole, strict=True):
            schedule, mark = "averaged" if one.averaged else "linear", "  <" if mean == whole.min() else ""
            columns = "  ".join(f"{value:.4f}" for value in row)
            print(f"{one.rate:>19} {one.epochs:>6} {schedule:8} {one.own:>4}  {columns}  {mean:.5f}{mark}", flush=True)
        return grid[int(whole.argmin())]

    for method in methods:
        own = OWN[method]
        grid = product((0.01, 0.03, 0.1, 0.3), (5, 10, 20), (False, True))
        best = tried(method, [Settings(rate, epochs, averaged, own[0]) for rate, epochs, averaged in grid])
        if len(own) > 1:
            best = tried(method, [replace(best, own=one) for one in own])
        print(f'    "{method}": {best},')


def measured(world: World, methods: Sequence[str], seeds: Sequence[int], jobs: int) -> dict[str, Any]:
    """The record: of each method the mean regrets, the rest under keys of their own."""
    results = ran([Trial(world, seed, method, SETTINGS[method]) for method in methods for seed in seeds], jobs)

    def table(key: str, summary: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> dict[str, dict[str, float]]:
        values = np.array([one[key] for one in results]).reshape(len(methods), len(seeds), len(CUTS))
        named = [dict(zip(map(str, CUTS), summary(rows).tolist(), strict=True)) for rows in values]
        return dict(zip(methods, named, strict=True))

    return table("regrets", lambda rows: rows.mean(0)) | {
        "label_density": float(np.mean([one["density"] for one in results])),
        "label_density_at_bias_0": float(np.mean([one["density_at_zero"] for one in results])),
        "standard_errors": table("regrets", lambda rows: rows.std(0, ddof=1) / len(rows) ** 0.5),
        "exact_search": table("exact", lambda rows: rows.mean(0)),
        "settings": {method: asdict(SETTINGS[method]) for method in methods},
        "optimiser": f"Adam, batches of {BATCH}; own: the table in benchmarks/otm_regret.py",
        "world": asdict(world),
        "seeds": list(seeds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, help="20, or 3 to tune")
    parser.add_argument("--json", type=Path, help="where to write the record")
    parser.add_argument("--tune", action="store_true", help="print the grid of settings, on seeds of its own")
    parser.add_argument("--methods", nargs="+", choices=SETTINGS, default=list(SETTINGS), metavar="METHOD")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time")
    options = parser.parse_args()
    world = World()
    if options.tune:
        seeds = range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + (options.runs or 3))
        return tune(world, options.methods, seeds, options.jobs)
    begun = time.perf_counter()
    record = measured(world, options.methods, range(options.runs or 20), options.jobs)
    record["seconds"] = time.perf_counter() - begun
    text = json.dumps(record, indent=1)
    if options.json:
        options.json.write_text(text)
    print(text)
    return None


if __name__ == "__main__":
    main()
