"""The measurements that a figure may name: those that the runs of its suite will have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bench import catalog, params
from bench.errors import Unavailable, UnknownName, UsageError
from bench.metrics.names import GROUPS, METRICS

PHASES = ("train", "index", "load", "update", "query")
PATHS = (
    "memory", "seconds", "throughput_qps", "work.mean", "work.share", "oracle.sample",
    "phases.train.resumed_after_seconds",
    *(f"task.{name}" for name in ("requests", "items", "interactions", "eligible_items")),
    *(f"latency_ms.{name}" for name in ("mean", "p50", "p95", "p99", "floor_p50", "calls")),
    *(
        f"phases.{phase}.{name}"
        for phase in PHASES
        for name in ("seconds", "compiled_seconds", "peak_rss_bytes", "artifact_bytes")
    ),
    *(f"live.{name}" for name in ("remove", "added", "removed", "dropped_targets", "requests_without_target")),
)  # fmt: skip
OPEN = ("task.audit.", "task.dropped_targets.", "milestone.")  # whatever was counted, and a method's own
OF_ALL_ANSWERS = ("coverage", "gini")  # which the oracle's are not asked for
SHORT: Mapping[str, Iterable[str]] = {
    **{name: GROUPS if name == "recall" else () for name in METRICS},
    "oracle": GROUPS,
    "index_loss": GROUPS,
    "answer_recall": (),
    "oracle.coverage": ("warm", "cold", "new"),
}
# What stands before "@" and the groups that may follow it.
HEADS: Mapping[str, Iterable[str]] = {
    **SHORT,
    **{f"{part}.{name}": SHORT[name] for part in ("metrics", "validation") for name in METRICS},
    **{f"oracle.{name}": SHORT[name] for name in METRICS if name not in OF_ALL_ANSWERS},
    **{f"oracle.{name}": SHORT[name] for name in ("index_loss", "answer_recall")},
}


@dataclass(frozen=True, slots=True)
class Known:
    """What decides which measurements there are: the suite's numbers k, its methods and tasks; `where` is its file."""

    where: str
    ks: Collection[int]
    methods: Collection[str]
    tasks: Collection[str]

    def check(self, name: str, key: str, others: Iterable[str] = ()) -> None:
        """Refuse what no record will hold (UsageError), beyond `others`; `key` of [figure] names it."""
        place = f"{key} of [figure] of {self.where}"
        head, at, rest = name.partition("@")
        depth, slash, group = rest.partition("/")
        if name.removeprefix("method.").startswith("params."):
            self._parameter(name.removeprefix("method.").removeprefix("params."), place)
        elif at and head in HEADS:
            if depth not in map(str, self.ks):
                raise UsageError(f"{place} names {name!r}, but ks = {sorted(self.ks)} there lacks {depth or 'k'}")
            if slash and group not in HEADS[head]:
                raise UnknownName(f"group in {place}", group, HEADS[head])
        elif name not in PATHS and not name.startswith(OPEN):
            k = depth if depth in map(str, self.ks) else max(self.ks, default=50)
            added = catalog.entries(catalog.METRICS)
            if name.removeprefix("metrics.").removeprefix("validation.") not in added:
                known = {*others, *PATHS, *added, *(f"{one}@{k}" for one in SHORT)}
                raise UnknownName(f"measurement in {place}", name, known)

    def _parameter(self, name: str, place: str) -> None:
        try:
            names = {one for method in self.methods for one in params.parameters(catalog.method_class(method))}
        except Unavailable:
            return  # its run says so; nothing can be checked
        if name not in names:
            raise UnknownName(f"parameter in {place}", name, names)
