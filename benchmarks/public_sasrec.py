"""The public SASRec of RecTools on the very split, tie order and targets of a leave-last-out task of bench.

    python benchmarks/public_sasrec.py export TASK.npz [--dataset movielens-1m] [--ties hash]
    python benchmarks/public_sasrec.py train TASK.npz --json FILE [--epochs 40] [--every 4]

The two steps are for two environments, because RecTools wants an older numpy: `export` runs where bench is installed,
`train` where `pip install "rectools[torch]"` was run (and is no part of bench). It trains SASRec with the settings of
RecTools' own benchmark at the size of bench's default (2 blocks, 64 numbers, the newest 50 items, softmax over the
catalog), asks the validation and the test requests after every few epochs with seen items left out, and names the
epochs that validation HR@10 chooses. One thread. HR@k and NDCG@k are over all requests, targets that training never
met included.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

KS = (10, 50)
PARTS = ("validation", "test")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("export", "train"))
    parser.add_argument("task", type=Path, help="the exported task, .npz")
    parser.add_argument("--dataset", default="movielens-1m")
    parser.add_argument("--ties", choices=("hash", "file"), default="hash")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/bench").expanduser())
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--every", type=int, default=4, help="epochs from one evaluation to the next")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.step == "export":
        export(options)
    else:
        train(options)


def export(options: argparse.Namespace) -> None:
    """Write the task's training sequences, requests and targets."""
    from bench.data.conventions import Conventions
    from bench.data.dataset import load_dataset
    from bench.data.freezing import prepare_task
    from bench.data.protocols import LeaveLastOut

    data = load_dataset(options.dataset, cache=options.cache, data_root=options.data_root, ties=options.ties)
    task = prepare_task(data, LeaveLastOut(), Conventions(ties=options.ties), cache=options.cache)
    by_user = task.training().interactions.by_user
    arrays = {"training_offsets": by_user.offsets, "training_items": by_user.values}
    for part in PARTS:
        requests, targets = task.requests(part), task.targets(part)
        arrays |= {f"{part}_offsets": requests.history.offsets, f"{part}_items": requests.history.values}
        arrays[f"{part}_targets"] = targets.values[targets.offsets[:-1]]
    np.savez(options.task, fingerprint=task.fingerprint, **arrays)


def train(options: argparse.Namespace) -> None:
    """Train, and write what each few epochs found."""
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    import pytorch_lightning
    import rectools
    import torch
    from rectools.dataset import Dataset
    from rectools.models import SASRecModel
    from rectools.models.nn.item_net import IdEmbeddingsItemNet

    torch.set_num_threads(1)
    pytorch_lightning.seed_everything(options.seed, verbose=False)
    task = np.load(options.task)
    told = {"n_blocks": 2, "n_heads": 2, "n_factors": 64, "session_max_len": 50, "loss": "softmax", "lr": 1e-3}
    model = SASRecModel(**told, batch_size=128, item_net_block_types=(IdEmbeddingsItemNet,), deterministic=True)
    known = Dataset.construct(log(task, "training"))
    record: dict[str, Any] = {"rectools": rectools.__version__, "task": str(task["fingerprint"]), "settings": told}
    record["moments"] = int(np.minimum(np.diff(task["training_offsets"]) - 1, told["session_max_len"]).clip(0).sum())
    record["rows"] = []
    for epochs in range(options.every, options.epochs + 1, options.every):
        begun = time.perf_counter()
        model.fit_partial(known, min_epochs=options.every, max_epochs=options.every)
        row = {"epochs": epochs, "epoch_seconds": (time.perf_counter() - begun) / options.every}
        row |= {part: asked(model, known, task, part) for part in PARTS}
        print(json.dumps(row), flush=True)
        record["rows"].append(row)
        record["epoch_seconds"] = statistics.median(one["epoch_seconds"] for one in record["rows"])
        record["chosen"] = max(record["rows"], key=lambda one: one["validation"]["HR@10"])
        if options.json:
            options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def log(task: Any, part: str) -> Any:
    """The part's histories as RecTools' table of interactions: users are rows, times are places."""
    import pandas as pd

    offsets, items = task[f"{part}_offsets"], task[f"{part}_items"]
    lengths = np.diff(offsets)
    places = np.arange(len(items)) - np.repeat(offsets[:-1], lengths)
    users = np.repeat(np.arange(len(lengths)), lengths)
    times = pd.to_datetime(places, unit="s")
    return pd.DataFrame({"user_id": users, "item_id": items.astype(int), "weight": 1.0, "datetime": times})


def asked(model: Any, known: Any, task: Any, part: str) -> dict[str, float]:
    """HR@k and NDCG@k of the part's requests."""
    from rectools.dataset import Dataset, IdMap, Interactions

    histories = log(task, part)
    histories = histories[histories.item_id.isin(known.item_id_map.external_ids)]
    rows = IdMap.from_values(histories.user_id.values)
    data = Dataset(rows, known.item_id_map, Interactions.from_raw(histories, rows, known.item_id_map))
    answers = model.recommend(users=rows.external_ids, dataset=data, k=max(KS), filter_viewed=True)
    targets = task[f"{part}_targets"]
    hits = answers[answers.item_id.to_numpy() == targets[answers.user_id.to_numpy()]]
    found: dict[str, float] = {}
    for k in KS:
        ranks = hits["rank"].to_numpy()[hits["rank"].to_numpy() <= k]
        found[f"HR@{k}"] = len(ranks) / len(targets)
        found[f"NDCG@{k}"] = float((1 / np.log2(ranks + 1)).sum() / len(targets))
    return found


if __name__ == "__main__":
    main()
