"""Which runs may go at the same time: nothing that two of them share is made twice.

The first of the runs that share a task, a training or an index makes it; the others begin when it is there, not when
the first has ended. So nothing hangs on locks between nodes, which not every shared folder holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench import params
from bench.catalog import method_class, parted
from bench.run.plan import Plan
from bench.run.prepared import Method

STAGES = ("data", "prepare", "train", "index", "update", "query", "oracle", "metrics")
Key = tuple[str, ...]


def makes(plan: Plan, method: Method) -> dict[str, Key]:
    """What a run leaves for others, by the stage that makes it, as far as names and parameters tell.

    method: that of the plan, or of another one that differs in settings alone.
    """
    asked = (plan.data or plan.dataset, plan.columns, plan.protocol, plan.conventions, plan.eligible)
    task = tuple(map(str, asked))
    found: dict[str, Key] = {"prepare": task}
    if method.keeps:
        settings = params.resolve(method_class(plan.method), plan.settings)
        known: Key = (*task, parted(plan.method)[1], str(plan.seed), plan.device, str(plan.threads))
        for phase in ("train", "index"):
            own = sorted(
                f"{name}={value!r}" for name, value in settings.items() if method.declared[name].phase == phase
            )
            known += (phase, *own)
            if phase == "index":  # a method that holds another shares its training alone
                known += (plan.method, *(("of the training catalog",) if plan.live is not None else ()))
            found[phase] = known
    return found


class Order:
    """The runs of a sweep, each with what it makes (see `makes`); numbers are places in `made`."""

    def __init__(self, made: Sequence[Mapping[str, Key]]) -> None:
        self._made = [{(stage, *key): STAGES.index(stage) for stage, key in one.items()} for one in made]
        self._waiting = list(range(len(made)))
        self._maker: dict[Key, int] = {}
        self._there: set[Key] = set()

    def begin(self) -> list[int]:
        """Those of the runs still waiting that may begin now, in order; they count as begun."""
        begun = []
        for at in self._waiting:
            missing = self._made[at].keys() - self._there
            if not missing & self._maker.keys():
                self._maker |= dict.fromkeys(missing, at)
                begun.append(at)
        self._waiting = [at for at in self._waiting if at not in set(begun)]
        return begun

    def reached(self, at: int, stage: str) -> None:
        """A run has come to `stage`: what the stages before it make is there."""
        if stage in STAGES:
            self._release({key for key, made in self._made[at].items() if made < STAGES.index(stage)}, at)

    def ended(self, at: int, *, well: bool) -> None:
        """A run has ended; where not `well`, another one makes what it owed."""
        if well:
            self._release(set(self._made[at]), at)
        self._maker = {key: maker for key, maker in self._maker.items() if maker != at}

    def _release(self, keys: set[Key], at: int) -> None:
        self._there |= keys
        self._maker = {key: maker for key, maker in self._maker.items() if key not in keys or maker != at}
