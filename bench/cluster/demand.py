"""What a run declares of a node, so that a cluster's scheduler puts it where it fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import UsageError
from bench.run import timing
from bench.run.plan import Plan


@dataclass(frozen=True, slots=True)
class Node:
    """What a cluster's node offers to runs."""

    cores: int
    memory_bytes: int
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Demand:
    """What a run takes while it goes."""

    cores: int
    memory_bytes: int = 0  # 0 where the plan names no limit
    gpus: int = 0


def demand(plan: Plan, nodes: Sequence[Node]) -> Demand:
    """What `plan` takes of one of `nodes`; raises UsageError where none can carry it.

    A timed run, or one that takes all cores, asks for as many as the largest node has: it shares its node with no other
    run, and all timings come from nodes of one size. Threads or a memory limit beyond the largest node take all of it.
    """
    gpus = 0 if plan.device == "cpu" else 1
    if gpus and plan.device != "cuda":
        raise UsageError(f"device {plan.device!r} on a cluster: Ray chooses a run's GPU; write cuda")
    able = [node for node in nodes if node.cores and node.gpus >= gpus]
    if not able:
        wanted = "a GPU" if gpus else "a core for a run"
        raise UsageError(f"no node of the cluster has {wanted}; start one that has")
    most = max(node.cores for node in able)
    cores = most if takes_a_node(plan) else min(plan.threads, most)
    memory = max(node.memory_bytes for node in able if node.cores >= cores)
    return Demand(cores, min(plan.limits.memory_bytes or 0, memory), gpus)


def takes_a_node(plan: Plan) -> bool:
    """Whether a run gets a node for itself: nothing may compete with what is timed, and threads = 0 is all cores."""
    return plan.timing != timing.NONE or plan.threads == 0


def placed(plan: Plan, wanted: Demand) -> Plan:
    """The plan with its number of threads said: a container's node may have fewer cores than its machine shows."""
    return dataclasses.replace(plan, threads=plan.threads or wanted.cores)
