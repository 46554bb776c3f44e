"""What assigning items to Deep Retrieval's paths costs, and what the penalty does to the largest path.

    python benchmarks/dr_assign.py --items 1000000 --json FILE [--nodes 100] [--layers 3] [--paths 3] [--scored 25]

Items are met as often as a power law says (ten times in the mean), and moments want popular paths more than others, so
that without a penalty some paths fill up. First the scores: moments, each with its likeliest paths, are added to the
items' rows as they stream, and summed exactly. Then coordinate descent from nothing, with each penalty.

The record: items, paths (nodes^layers), seconds_a_million_moments of each way of scoring; of each alpha seconds_a_pass
(of coordinate descent over all items, the mean of four), largest (items on the path of the most), used (paths with an
item), each (paths an item has in the mean) and objective after each pass; the same with a cap of twice the even share.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench_dr.assignment import Scores, Sums, assigned
from bench_dr.paths import NONE

ALPHAS = (0.0, 3e-5, 3e-4, 3e-3, 3e-2)
MOMENTS = 200_000  # that the two ways of scoring are timed on


def main() -> None:
    options = arguments()
    paths = options.nodes**options.layers
    scores = drawn(options, paths)
    record: dict[str, Any] = {name: getattr(options, name) for name in ("items", "nodes", "layers", "scored")}
    record |= {"paths": paths, "each": options.paths, "seconds_a_million_moments": scoring(options, paths)}
    print(record, flush=True)
    assigned(drawn(argparse.Namespace(items=100, scored=options.scored), paths), paths, options.paths, 0.1, passes=1)
    even = -(-options.items * options.paths // paths)
    record["assignment"] = {}
    for name, alpha, cap in [*((f"{alpha:g}", alpha, 0) for alpha in ALPHAS), ("0, capped", 0.0, 2 * even)]:
        begun = time.perf_counter()
        found = assigned(scores, paths, options.paths, alpha, cap)
        spent = time.perf_counter() - begun
        record["assignment"][name] = {
            "seconds_a_pass": spent / len(found.objective),
            "largest": found.largest,
            "used": found.used,
            "each": float((found.numbers != NONE).sum(1).mean()),
            "cap": cap,
            "objective": found.objective.tolist(),
        }
        print(f"alpha {name}: {record['assignment'][name]}", flush=True)
    record["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=lambda text: int(float(text)), default=1_000_000, help="of the catalog")
    parser.add_argument("--nodes", type=int, default=100, help="of a layer, K")
    parser.add_argument("--layers", type=int, default=3, help="D")
    parser.add_argument("--paths", type=int, default=3, help="of an item, J")
    parser.add_argument("--scored", type=int, default=25, help="paths kept of an item, S")
    parser.add_argument("--json", type=Path, help="where the record goes")
    return parser.parse_args()


def wanted(paths: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Paths int64 of a shape, the square of a uniform number times their number: early ones are wanted more."""
    return (rng.random(shape) ** 2 * paths).astype(np.int64)


def drawn(options: argparse.Namespace, paths: int) -> Scores:
    """Scores of the items' paths."""
    rng = np.random.default_rng(0)
    counts = np.minimum(1 + rng.pareto(1.1, options.items), 1e5)
    counts *= 10 / counts.mean()
    chances = np.sort(rng.random((options.items, options.scored), np.float32) ** 4)[:, ::-1]
    scores = chances / chances.sum(1, keepdims=True) * counts[:, None]
    kept = wanted(paths, (options.items, options.scored), rng)
    return Scores(np.sort(kept, 1)[:, ::-1].copy(), scores.astype(np.float32), counts)


def scoring(options: argparse.Namespace, paths: int) -> dict[str, float]:
    """What a million moments take, streamed and summed."""
    rng = np.random.default_rng(1)
    items = np.minimum(rng.zipf(1.2, MOMENTS), options.items) - 1
    likeliest = wanted(paths, (MOMENTS, options.scored), rng)
    chances = rng.random(likeliest.shape, np.float32)
    streamed, sums = Scores.none(options.items, options.scored), Sums()
    streamed.add(items[:1], likeliest[:1], chances[:1])  # these compile
    few = Sums()
    few.add(items[:1], likeliest[:1], chances[:1])
    few.best(options.items, options.scored)
    begun = time.perf_counter()
    streamed.add(items, likeliest, chances)
    middle = time.perf_counter()
    sums.add(items, likeliest, chances)
    sums.best(options.items, options.scored)
    million = 1e6 / MOMENTS
    return {"streamed": million * (middle - begun), "summed": million * (time.perf_counter() - middle)}


if __name__ == "__main__":
    main()
