"""The harness's clock beside pyperf's: percentiles and throughput of the very same loop, which should agree.

    python benchmarks/independent_timer.py [--starts 10] [--json FILE]        (needs pyperf: pip install pyperf)

The loop is a hook of a fixed cost (`fixed_cost.py`), one request a call and all in one call, on one core. In each start
pyperf times it in a fresh process, the harness in one, and pyperf again, in random order and kept apart: the two of
pyperf say how far its own figures are from each other. A row agrees where the harness's ratio to pyperf is not
distinguishable from 1 by the test of `bench time`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from fixed_cost import REQUESTS, K, loop
from rich.console import Console
from rich.table import Table

from bench.analysis.turns import in_turn
from bench.measure import latency, machine, threads
from bench.run.hooks import connect
from bench.run.timed import Floor

CALLS = {"single": 2000, "batch": 60}
WARM = {"single": 200, "batch": 3}
TOOLS = ("pyperf", "bench", "pyperf again")
HERE = Path(__file__).parent


def by_bench(kind: str) -> np.ndarray:
    """Seconds of every call, by bench.measure in this process."""
    query, requests, context = loop()
    with threads.limited(1):
        if kind == "batch":
            latency.batch(query, requests, K, context, least=WARM[kind])
            return latency.batch(query, requests, K, context, least=CALLS[kind])
        calls = latency.closed_loop(
            query, connect(Floor()).query, requests, K, context, least=CALLS[kind], shortest=0, seconds=600
        )
    return calls.nanoseconds / 1e9


def asked(tool: str, kind: str, folder: Path) -> np.ndarray:
    """Seconds of every call, in a fresh process."""
    out = folder / f"{tool}-{kind}.json"
    out.unlink(missing_ok=True)
    environment = {**os.environ, **threads.environment(1)}
    if tool == "bench":
        words = [str(HERE / "independent_timer.py"), "--own", kind, "--json", str(out)]
        subprocess.run([sys.executable, *words], check=True, env=environment)
        return np.array(json.loads(out.read_text(encoding="utf-8")))
    import pyperf

    core = str(min(os.sched_getaffinity(0)))
    words = ["-p", "1", "-l", "1", "-n", str(CALLS[kind]), "-w", str(WARM[kind]), "--affinity", core, "--quiet"]
    words += ["--copy-env", "--kind", kind, "-o", str(out)]  # of its own accord it drops what decides BLAS's kernels
    subprocess.run(
        [sys.executable, str(HERE / "fixed_cost.py"), *words], check=True, env=environment, stdout=subprocess.DEVNULL
    )
    return np.array(pyperf.Benchmark.load(str(out)).get_values())


def quantities(kind: str, seconds: np.ndarray) -> dict[str, float]:
    """What a report says of these calls, as seconds a request."""
    if kind == "batch":
        return {"1 / throughput": float(seconds.mean()) / REQUESTS}
    said = latency.summary((seconds * 1e9).astype(np.int64))
    return {name: said[name] / 1e3 for name in ("p50", "p95", "p99")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--own", choices=list(CALLS), help="time by the harness in this process, and write the calls")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.own:
        options.json.write_text(json.dumps(by_bench(options.own).tolist()), encoding="utf-8")
        return
    rng, found = np.random.default_rng(0), dict[str, dict[str, list[float]]]()
    console = Console(width=110)
    with tempfile.TemporaryDirectory() as folder:
        for start in range(options.starts):
            for tool in rng.permutation(TOOLS):
                for kind in CALLS:
                    for name, value in quantities(kind, asked(str(tool), kind, Path(folder))).items():
                        found.setdefault(f"{kind} {name}", {one: [] for one in TOOLS})[str(tool)].append(value)
            print(f"start {start + 1} of {options.starts}", file=sys.stderr)
    shown, said = Table(*("quantity", "pyperf", "bench", "bench / pyperf", "95%", "p", "floor", "agree")), {}
    for name, tools in found.items():
        pyperf, bench, again = (np.array(tools[tool])[:, None] for tool in TOOLS)
        turned, floor = in_turn({"pyperf": pyperf, "bench": bench}, "pyperf", again)
        one = {each.label: each for each in turned}
        ratio, agree = one["bench"].ratio, one["bench"].verdict == "not distinguishable"
        assert ratio is not None
        times = [f"{1e6 * one[tool].seconds:.2f} µs" for tool in ("pyperf", "bench")]
        interval = f"{ratio.low:.3f} to {ratio.high:.3f}"
        shown.add_row(
            name,
            *times,
            f"{ratio.ratio:.3f}",
            interval,
            f"{ratio.p_value:.2f}",
            f"{floor.ratio:.3f}",
            "yes" if agree else "NO",
        )
        said[name] = {"ratio": ratio.ratio, "low": ratio.low, "high": ratio.high, "p": ratio.p_value,
                      "floor": floor.ratio, "agree": agree, "seconds": tools}  # fmt: skip
    console.print(shown)
    if options.json:
        text = json.dumps({"starts": options.starts, "machine": machine.describe(), "quantities": said}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
