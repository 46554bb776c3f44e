"""Any method over a catalog that is split into shards: `sharded:two_tower`."""

from __future__ import annotations

import copy
import dataclasses
import filecmp
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench import (
    Answer,
    Catalog,
    Context,
    ParameterError,
    Requests,
    TrainingData,
    UsageError,
    connect,
    hookimpl,
    implements,
    param,
    parameters,
    parts,
)
from bench_shard.merging import merged
from bench_shard.splitting import SPLITS, Split


@dataclass
class Sharded:
    """The catalog split over processes, each with an index of METHOD over its items; the k best of all are merged.

    METHOD is trained once, on everything, so scores of different shards compare. Each shard indexes its own items,
    among the ids of the whole catalog, and is asked for k items by a process of its own; an exact index gives exactly
    what one index gives. Every shard reads the requests itself: what METHOD needs for that of all items, to read a
    history for example, lies in each shard, stored once. A request works on a core of each shard, whatever the threads
    of the run; a batch shares the threads out. Right after `index`, within its process, shards are asked one after
    another; a run asks processes. Parameters beside `shards` and `split` are METHOD's own.
    """

    version: ClassVar[str] = "1"
    held: ClassVar[type]  # the method's class
    held_name: ClassVar[str]

    shards: int = param(4, phase="index", help="parts of the catalog", low=1, high=1000, sweep=(1, 2, 4, 8))
    split: str = param(
        "even",
        phase="index",
        help="even: items shuffled and dealt out; ranges: neighbouring ids together",
        choices=SPLITS,
    )

    method_: object | None = field(init=False, repr=False, default=None)  # trained here
    trained_in_: Path | None = field(init=False, repr=False, default=None)  # or loaded from there
    split_: Split = field(init=False, repr=False)
    parts_: Sequence[parts.Part] = field(init=False, repr=False)
    sizes_: NDArray[np.int64] = field(init=False, repr=False)  # [shards]: items held
    close_: weakref.finalize | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Raises ParameterError for values that the method refuses, or where it says why it cannot be split."""
        fresh = connect(self._fresh())
        try:
            fresh.divide(shards=self.shards)
        except ParameterError as error:
            raise ParameterError(f"{self.held_name} cannot be split into shards: {error}") from error

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        self.method_, self.trained_in_ = self._fresh(), None
        connect(self.method_).train(data=data, context=context)

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        if self.method_ is None:
            self.method_ = self._fresh()
            if self.trained_in_ is not None:
                connect(self.method_).load(folder=self.trained_in_, phase="train", context=context)
        split = Split.of(catalog.candidates(), catalog.size, self.shards, self.split, context.rng)
        built: list[parts.Part] = []
        for shard in range(self.shards):
            part = copy.copy(self.method_)  # shares what was learnt; `index` gives each its own
            connect(part).divide(shards=self.shards)
            items = split.held(shard)
            connect(part).index(catalog=dataclasses.replace(catalog, eligible=items), context=context)
            built.append(parts.InProcess(part))
            context.milestone(f"shard {shard}", items=len(items))
            context.progress(shard + 1, self.shards, "shards indexed")
        self._serve(split, built)

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        question = parts.Question("query", {"requests": requests, "k": k}, self._shared(context))
        replies = self._all([question] * self.shards)
        answers = [reply.value for reply in replies]
        answer = merged(answers, self.held_name)
        slowest = max(reply.seconds for reply in replies)
        context.milestone("slowest shard", ms=1e3 * slowest)
        if len(requests) > 1:  # of one request there is no time to tell more
            self._tell(answer, replies, context)
        return answer

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "train":
            connect(self.method_).save(folder=folder, phase=phase)
            return
        np.save(folder / "owner.npy", self.split_.owner, allow_pickle=False)
        folders = [_folder(folder, shard) for shard in range(self.shards)]
        for one in folders:
            one.mkdir()
        self._all([parts.Question("save", {"folder": one, "phase": phase}) for one in folders])
        for other in folders[1:]:
            _store_once(folders[0], other)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        if phase == "train":
            self.method_, self.trained_in_ = None, folder
            return
        learnt = {} if self.trained_in_ is None else {"train": str(self.trained_in_)}
        split = Split(np.load(folder / "owner.npy", allow_pickle=False), self.shards)
        shared = self._shared(context)
        begun: list[parts.Part] = []
        for shard in range(self.shards):
            load = {**learnt, "index": str(_folder(folder, shard))}
            beginning = parts.Beginning(self.held_name, self._of_held(), load, shard, self.shards)
            name = f"shard {shard} of {self.shards} ({self.held_name})"
            begun.append(parts.OwnProcess(name, beginning, shared))
        self._serve(split, begun)
        self._replies()

    def _fresh(self) -> object:
        return self.held(**self._of_held())

    def _of_held(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in parameters(self.held)}

    def _shared(self, context: Context) -> Context:
        """The context of one shard's process while all work."""
        return dataclasses.replace(context, threads=max(1, context.threads // self.shards))

    def _serve(self, split: Split, new: Sequence[parts.Part]) -> None:
        """Answer from `new` from now on; they end with this object."""
        if self.close_ is not None:
            self.close_()
        self.split_, self.parts_ = split, new
        self.sizes_ = np.bincount(split.owner[split.owner >= 0], minlength=self.shards)
        self.close_ = weakref.finalize(self, _close, new)

    def _all(self, questions: Sequence[parts.Question]) -> list[parts.Reply]:
        """What every shard replies to its own, all at work at once."""
        for part, question in zip(self.parts_, questions, strict=True):
            part.ask(question)
        return self._replies()

    def _replies(self) -> list[parts.Reply]:
        """One reply of every shard. Where one fails all are ended: replies that are still to come would be taken for
        those to a later question."""
        try:
            return [part.reply() for part in self.parts_]
        except BaseException:
            assert self.close_ is not None
            self.close_()
            raise

    def _tell(self, answer: Answer, replies: Sequence[parts.Reply], context: Context) -> None:
        """Keep what each shard held, did and needed."""
        given = answer.ids[answer.ids >= 0]
        answered = np.bincount(self.split_.owner[given], minlength=self.shards) / max(1, len(given))
        for shard, (part, reply) in enumerate(zip(self.parts_, replies, strict=True)):
            told = {"items": float(self.sizes_[shard]), "ms": 1e3 * reply.seconds, "share of answers": answered[shard]}
            if reply.value.work is not None:
                told["work"] = float(reply.value.work.mean())
            if part.peak_rss_bytes:
                told["peak MB"] = part.peak_rss_bytes / 1e6
            context.milestone(f"shard {shard}", **{name: float(value) for name, value in told.items()})


@hookimpl
def score(self: Sharded, requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:
    """The scores of each shard's own items."""
    owners = self.split_.of_items(items)
    columns = [np.flatnonzero(owners == shard) for shard in range(self.shards)]
    shared = self._shared(context)
    asked = [parts.Question("score", {"requests": requests, "items": items[own]}, shared) for own in columns]
    found = np.empty((len(requests), len(items)), np.float32)
    for own, reply in zip(columns, self._all(asked), strict=True):
        found[:, own] = reply.value
    return found


@hookimpl
def update(
    self: Sharded, catalog: Catalog, added: NDArray[np.int32], removed: NDArray[np.int32], context: Context
) -> None:
    """New items are dealt out to the shards, and each follows what comes to it and leaves it."""
    split = self.split_.grown(added, catalog.size)
    candidates, shared = catalog.candidates(), self._shared(context)
    asked = []
    for shard in range(self.shards):
        own = {name: items[split.owner[items] == shard] for name, items in (("added", added), ("removed", removed))}
        mine = candidates[split.owner[candidates] == shard]
        seen = dataclasses.replace(catalog, eligible=mine)
        asked.append(parts.Question("update", {"catalog": seen, **own}, shared))
    self._all(asked)
    self.split_ = split
    self.sizes_ = np.bincount(split.owner[candidates], minlength=self.shards)


def sharded(name: str, held: type) -> type:
    """METHOD over a catalog split into shards, each with an index and a process of its own; the k best are merged.

    Makes a class like `Sharded` around the method `held`, with its parameters too; raises UsageError where that cannot
    be split."""
    hooks = connect(held())
    if implements(hooks, "reveal"):
        raise UsageError(f"{name} is a reference that is told the truth: it has no index to split")
    if not (implements(hooks, "save") and implements(hooks, "load")):
        raise UsageError(f"{name} has no save and load, by which the process of a shard begins")
    declared = parameters(held)
    if twice := declared.keys() & parameters(Sharded).keys():
        raise UsageError(f"{name} has a parameter {min(twice)!r} of its own, which sharded has too")
    namespace: dict[str, Any] = {
        "__doc__": Sharded.__doc__,
        "held": held,
        "held_name": name,
        "version": f"{Sharded.version}+{getattr(held, 'version', '1')}",
    }
    namespace |= {hook.__name__: hook for hook in (score, update) if implements(hooks, hook.__name__)}
    if hasattr(held, "work_unit"):
        namespace["work_unit"] = held.work_unit
    own = {each.name: each for each in dataclasses.fields(held)}
    fields = [
        (one.name, one.type, field(default=one.default, metadata=own[one.name].metadata)) for one in declared.values()
    ]
    made = dataclasses.make_dataclass(f"Sharded{held.__name__}", fields, bases=(Sharded,), namespace=namespace)
    made.__module__ = __name__
    return made


def _folder(folder: Path, shard: int) -> Path:
    return folder / f"shard-{shard}"


def _store_once(first: Path, other: Path) -> None:
    """Let `other` share the files that are the same in `first`: on disk, and in memory where they are mapped."""
    for path in sorted(one for one in other.rglob("*") if one.is_file()):
        same = first / path.relative_to(other)
        if same.is_file() and filecmp.cmp(same, path, shallow=False):
            path.unlink()
            path.hardlink_to(same)


def _close(served: Sequence[parts.Part]) -> None:
    for part in served:
        part.close()
