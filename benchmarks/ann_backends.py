"""What each back end of vectors costs and finds, and what the harness adds to its library.

    python benchmarks/ann_backends.py --items 1000000 --dim 64 --threads 1 --json FILE [--backends flat,hnsw,...]
        [--ef-construction 200] [--lists 0]

Clustered vectors of different lengths, of which few directions matter much (the record says how many), are searched by
inner product for others of the same kind; the exact neighbours are known. Each back end runs in a process of its own,
which is ended where it grows past 8 GiB: it builds the index, saves it, opens it and answers all requests in one call
at each effort of a sweep. Then, at the effort that first reaches recall .95 (or the greatest), `search` of
bench_vector, what a method's query does, and the library alone with the same parameters and threads answer in turn,
A B B A. Back ends whose library is not installed are left out. FILE is written after each back end; one that is there
with the same settings is kept and its back ends are not run again.

The record, of each back end: build_seconds; index_bytes, of the saved files, without the vectors; open_seconds;
peak_rss_bytes of building, and before_rss_bytes of the vectors and libraries; sweep, of each effort the recall@10 and
the requests a second; qps at recall .90, .95 and .99, of the fastest effort that reaches it, or null; paired: the
effort, the seconds of both sides in each round, ratio, the median of the rounds' harness over library, and both
recalls.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faiss
import numpy as np
import psutil
from library_loops import alone

from bench import Ragged, Requests
from bench_vector.backends import Backend, Effort, Positions, Vectors, compared, search
from bench_vector.indexed import FACTORIES, Indexed
from bench_vector.libraries import LIBRARIES

K, SEED, LIMIT, REFINED = 10, 0, 8 << 30, 4
RECALLS = (0.90, 0.95, 0.99)
EFS = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192)
PROBES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
REFINES = (4, 16, 64, 256)
LEAST, FEWEST = 0.5, 50.0  # seconds of a measurement; requests a second below which no more effort is tried
LISTS = ("ivf", "ivf_pq", "ivf_fastscan", "rabitq", "scann")


def main() -> None:
    options = arguments()
    if options.one:
        print(json.dumps(measured(options)))
        return
    settings = {name: getattr(options, name) for name in ("items", "dim", "threads", "requests", "ef_construction")}
    settings["lists"] = options.lists
    record: dict[str, Any] = {"settings": settings, "backends": {}}
    if options.json and options.json.exists():
        before = json.loads(options.json.read_text(encoding="utf-8"))
        if before["settings"] == settings:
            record = before
    with TemporaryDirectory(prefix="ann-", dir=options.scratch) as scratch:
        vectors, users = made(options.items, options.dim, options.requests)
        record["effective_dimensions"] = effective(vectors)
        record["versions"] = {"faiss": faiss.__version__, "numpy": np.__version__}
        say(f"{options.items:,} vectors of {options.dim} numbers, {record['effective_dimensions']:.1f} that matter")
        for name, array in (("vectors", vectors), ("users", users), ("exact", compared(users, vectors, K, "inner"))):
            np.save(Path(scratch) / f"{name}.npy", array)
        del vectors, users
        for name in options.backends:
            if name not in record["backends"]:
                record["backends"][name] = apart(name, settings, scratch)
                if options.json:
                    options.json.write_text(text_of(record), encoding="utf-8")
    print(table(record["backends"]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    there = [name for name, kind in LIBRARIES.items() if find_spec(kind.module.partition(".")[0])]
    known = ["hnsw", *FACTORIES, *there]
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1, help="of building and of searching")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--ef-construction", type=int, default=200)
    parser.add_argument("--lists", type=int, default=0, help="0: four times the root of the number of items")
    parser.add_argument("--backends", type=lambda text: text.split(","), default=known, help="of " + ", ".join(known))
    parser.add_argument("--json", type=Path, help="where the record goes")
    parser.add_argument("--scratch", type=Path, help="where vectors and indexes lie meanwhile")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.backends) - set(known)
    if unknown:
        parser.error(f"no such back end, or not installed: {', '.join(sorted(unknown))}")
    return options


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def text_of(record: dict[str, Any]) -> str:
    """JSON, a back end a line."""
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in record["backends"].items()]
    head = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in record.items() if name != "backends"]
    return "{\n" + ",\n".join(head) + ',\n "backends": {\n' + ",\n".join(lines) + "\n }\n}\n"


def made(items: int, dim: int, requests: int) -> tuple[Vectors, Vectors]:
    """Items [C, D] and users [B, D]: a cluster for about each hundred items, lengths that differ, and directions of
    which the j-th has a variance in proportion to 1 / j."""
    rng = np.random.default_rng(SEED)
    turn = np.linalg.qr(rng.standard_normal((dim, dim)))[0].astype(np.float32)
    turn = turn * (np.arange(1, dim + 1, dtype=np.float32) ** -0.5)[:, None]  # (D, D)
    centres = rng.standard_normal((max(1, items // 100), dim), np.float32)
    weights = rng.dirichlet(np.full(len(centres), 0.5))

    def drawn(count: int) -> Vectors:
        near = centres[rng.choice(len(centres), count, p=weights)]
        vectors = (near + 0.7 * rng.standard_normal((count, dim), np.float32)) @ turn
        return vectors * rng.lognormal(0, 0.2, (count, 1)).astype(np.float32)

    return drawn(items), drawn(requests)


def effective(vectors: Vectors) -> float:
    """How many directions share the variance: (sum of variances)^2 / sum of their squares."""
    variances = np.linalg.eigvalsh(np.cov(vectors[:100_000], rowvar=False))
    return float(variances.sum() ** 2 / (variances**2).sum())


def apart(name: str, settings: dict[str, int], scratch: str) -> dict[str, Any]:
    """The back end in a process of its own, ended where it grows past the limit."""
    flags = [f"--{key.replace('_', '-')}={value}" for key, value in settings.items()]
    command = [sys.executable, __file__, *flags, f"--scratch={scratch}", f"--backends={name}", f"--one={name}"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watched = psutil.Process(child.pid)
    while True:
        try:
            return json.loads(child.communicate(timeout=1)[0].splitlines()[-1])
        except subprocess.TimeoutExpired:
            if watched.memory_info().rss > LIMIT:
                child.kill()
                child.communicate()
                return {"failed": "grew past 8 GiB"}
        except IndexError:
            return {"failed": f"ended with {child.returncode}"}


def efforts(name: str) -> Iterator[list[Effort]]:
    """Sweeps, each from little effort to much."""
    if name == "flat":
        yield [Effort()]
    elif name in LISTS:
        for refine in REFINES if name != "ivf" else (1,):
            yield [Effort(probes=probes, refine=refine) for probes in PROBES]
    else:
        yield [Effort(ef=ef, refine=REFINED) for ef in EFS]


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """One back end."""
    name, scratch = options.one, Path(options.scratch)
    vectors, users, exact = (np.load(scratch / f"{part}.npy") for part in ("vectors", "users", "exact"))
    ids = np.arange(len(vectors), dtype=np.int32)
    how = Indexed(
        backend=name, ef_construction=options.ef_construction, lists=options.lists, build_threads=options.threads
    )
    faiss.omp_set_num_threads(options.threads)
    record: dict[str, Any] = {"before_rss_bytes": peak()}
    say(f"{name}: building")
    begun = time.perf_counter()
    backend = how.built(vectors, ids, SEED)
    record["build_seconds"] = time.perf_counter() - begun
    record["peak_rss_bytes"] = peak()
    say(f"{name}: built in {record['build_seconds']:.1f} s")
    with TemporaryDirectory(dir=scratch) as folder:
        backend.save(Path(folder))
        record["index_bytes"] = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        del backend
        begun = time.perf_counter()
        opened = how.opened(vectors, ids, Path(folder))
        record["open_seconds"] = time.perf_counter() - begun
        return record | searched(opened, users, exact, options)


def searched(backend: Backend, users: Vectors, exact: Positions, options: argparse.Namespace) -> dict[str, Any]:
    """What a saved index finds and how fast, and the library alone."""
    count = len(users)
    nobody = np.full(count, -1, np.int32)
    requests = Requests(np.arange(count), nobody, Ragged.empty(count), Ragged.empty(count), vectors=users)

    def harness(effort: Effort) -> Positions:
        return search(backend, users, requests, K, effort, options.threads).ids

    sweep = swept(options.one, harness, exact)
    qps = {f"{least:.2f}": reached(sweep, least) for least in RECALLS}
    return {"sweep": sweep, "qps": qps, "paired": paired(backend, harness, users, exact, at(sweep), options.threads)}


def peak() -> int:
    """The largest resident memory of this process so far, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM: run this on Linux")


def recall(found: Positions, exact: Positions) -> float:
    return float((found[:, :, None] == exact[:, None, :]).any(2).mean())


def swept(name: str, harness: Callable[[Effort], Positions], exact: Positions) -> list[dict[str, Any]]:
    points = []
    for sweep in efforts(name):
        for effort in sweep:
            found, spent = harness(effort), []
            while sum(spent) < LEAST or len(spent) < 3:
                begun = time.perf_counter()
                harness(effort)
                spent.append(time.perf_counter() - begun)
                if sum(spent) > 6 * LEAST:
                    break
            point = {"effort": asdict(effort), "recall": recall(found, exact)}
            point["qps"] = len(found) / statistics.median(spent)
            say(f"{name}: {point}")
            points.append(point)
            if point["recall"] >= RECALLS[-1] or point["qps"] < FEWEST:
                break
    return points


def reached(sweep: list[dict[str, Any]], least: float) -> float | None:
    return max((point["qps"] for point in sweep if point["recall"] >= least), default=None)


def at(sweep: list[dict[str, Any]]) -> Effort:
    """The fastest effort that reaches recall .95, or the one that finds most."""
    enough = [point for point in sweep if point["recall"] >= 0.95]
    best = max(enough, key=lambda one: one["qps"]) if enough else max(sweep, key=lambda one: one["recall"])
    return Effort(**best["effort"])


def paired(
    backend: Backend,
    harness: Callable[[Effort], Positions],
    users: Vectors,
    exact: Positions,
    effort: Effort,
    threads: int,
) -> dict[str, Any]:
    """The harness and the library alone in turn, A B B A, the same work."""
    library = alone(backend, users, K, effort, threads)
    sides: dict[str, Callable[[], Positions]] = {"harness": lambda: harness(effort), "library": library}
    recalls = {side: recall(call(), exact) for side, call in sides.items()}
    begun = time.perf_counter()
    sides["library"]()
    once = time.perf_counter() - begun
    repeats = max(1, round(0.1 / once))  # calls that are timed together
    spent: dict[str, list[float]] = {"harness": [], "library": []}
    for _ in range(15 if once < 1 else 3 if once < 10 else 1):
        both = dict.fromkeys(sides, 0.0)
        for side in ("harness", "library", "library", "harness"):
            begun = time.perf_counter()
            for _ in range(repeats):
                sides[side]()
            both[side] += (time.perf_counter() - begun) / (2 * repeats)
        for side, seconds in both.items():
            spent[side].append(seconds)
    ratios = [one / other for one, other in zip(spent["harness"], spent["library"], strict=True)]
    record = {"effort": asdict(effort), "ratio": statistics.median(ratios), "seconds": spent, "recall": recalls}
    say(f"paired: {record['ratio']:.3f}, {recalls}")
    return record


def table(backends: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| back end | build, s | index, MB | peak, GB | requests/s at recall@10 .90 | .95 | .99 | over the library | "
        "recall of both |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, record in backends.items():
        if "failed" in record:
            lines.append(f"| {name} | {record['failed']} | | | | | | | |")
            continue
        qps = " | ".join(f"{one:,.0f}" if one else "—" for one in record["qps"].values())
        both = record["paired"]["recall"]
        same = "the same" if both["harness"] == both["library"] else f"{both['harness']:.4f}, {both['library']:.4f}"
        lines.append(
            f"| {name} | {record['build_seconds']:,.0f} | {record['index_bytes'] / 1e6:,.0f} | "
            f"{record['peak_rss_bytes'] / 1e9:.2f} | {qps} | {record['paired']['ratio']:.3f} | {same} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
