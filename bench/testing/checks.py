"""The promises of a method's hooks, one function each; a broken one is an AssertionError saying what was expected."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import zipfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

from bench.answer import Answer
from bench.data.ragged import Ragged
from bench.errors import HookError, ParameterError, Unavailable
from bench.run.hooks import implements
from bench.testing.answers import asked, close, expect_equal, kind, row_of, slack_of
from bench.testing.instance import Ready, Subject, lent_context
from bench.testing.world import World, limited, make_world, repeated

CPU_PER_SECOND = 1.3  # what one thread may use; the rest is the interpreter's own
MEASURED_SECONDS = 0.3


def check_requests(ready: Ready, world: World, answer: Answer) -> None:
    """Requests of all kinds have valid answers."""
    requests = world.requests
    unknown = dataclasses.replace(requests, users=np.full(len(requests), -1, np.int32))
    cold = dataclasses.replace(requests, history=Ragged.empty(len(requests)), history_times=None)
    open_ = dataclasses.replace(requests, exclude=Ragged.empty(len(requests)))
    for case in (requests[0:0], unknown, cold, open_):
        asked(ready, world, case)
    for k in (1, world.catalog.size + 7):
        asked(ready, world, requests, k)
    expect_equal(ready.name, "the same requests asked again", answer, asked(ready, world, requests))


def check_singles(ready: Ready, world: World, answer: Answer) -> None:
    """One request at a time is answered as all at once."""
    for row in range(len(world.requests)):
        single = asked(ready, world, world.requests[row : row + 1])
        expect_equal(ready.name, f"request {row} of {len(world.requests)} on its own", row_of(answer, row), single)


def check_scorer(ready: Ready, world: World, answer: Answer) -> None:
    """`score`, where there is one, gives what orders the answer."""
    if not implements(ready.hooks, "score"):
        return
    requests, items = world.requests, np.arange(world.catalog.size, dtype=np.int32)
    with lent_context(ready.device) as context:
        scores = ready.hooks.score(requests=requests, items=items, context=context)
        some = ready.hooks.score(requests=requests[2:9], items=items[::3].copy(), context=context)
    shape = (len(requests), len(items))
    assert isinstance(scores, np.ndarray) and scores.shape == shape and scores.dtype == np.float32, (
        f"{ready.name}: score must give a float32 array of shape {list(shape)}, not {kind(scores)}"
    )
    assert not (np.isnan(scores) | (scores == np.inf)).any(), f"{ready.name}: score gives NaN or +inf"
    slack = slack_of(scores)
    assert close(some, scores[2:9, ::3], slack), f"{ready.name}: score of some items differs from their score among all"
    real = answer.ids >= 0
    given = np.where(real, np.take_along_axis(scores, np.maximum(answer.ids, 0), 1), -np.inf)  # (B, k)
    row = np.flatnonzero((given[:, 1:] > given[:, :-1] + slack).any(1))
    assert not len(row), f"{ready.name}: score does not order the answer of request {row[0]}: {given[row[0]]}"
    if answer.scores is not None:
        row = np.flatnonzero(~np.isclose(given, answer.scores, rtol=0, atol=slack).all(1, where=real))
        assert not len(row), (
            f"{ready.name}: request {row[0]} has scores {answer.scores[row[0]]}, and score gives {given[row[0]]}"
        )


def check_threads(ready: Ready, world: World, answer: Answer) -> None:
    """With context.threads = 1 one thread works."""
    requests = repeated(world.requests, 40)
    ready.query(requests)  # what compiles or starts on first use
    wall, cpu = perf_counter(), process_time()
    while perf_counter() - wall < MEASURED_SECONDS:
        ready.query(requests)
    share = (process_time() - cpu) / (perf_counter() - wall)
    assert share <= CPU_PER_SECOND, (
        f"{ready.name}: query used {share:.1f} CPU seconds a second with context.threads = 1: hand context.threads to "
        f"whatever starts threads"
    )


def check_eligible(subject: Subject, world: World, answer: Answer) -> None:
    """Only eligible items are answered."""
    catalog = limited(world.catalog, np.arange(2, world.catalog.size, 4, dtype=np.int32))
    ready = subject.indexed(subject.trained(world.training), catalog)
    asked(ready, dataclasses.replace(world, catalog=catalog), world.requests)


def check_update(subject: Subject, world: World, answer: Answer) -> None:
    """`update`, where there is one: items that come can be answered, items that left never are, `score` knows both."""
    hooks = subject.trained(world.training)
    if not implements(hooks, "update"):
        return
    before, size = world.training.catalog, world.catalog.size
    added, none = np.arange(before.size, size, dtype=np.int32), np.zeros(0, np.int32)
    removed = np.append(np.arange(1, before.size, 5, dtype=np.int32), np.int32(size - 1))
    left = limited(world.catalog, np.setdiff1d(world.catalog.candidates(), removed))

    fewer = dataclasses.replace(world, catalog=left)

    def expect_added(ready: Ready, world: World, added: NDArray[np.int32]) -> None:
        missing = np.setdiff1d(added, asked(ready, world, world.requests, size).ids)
        assert not len(missing), (
            f"{ready.name}: after update added items {added.tolist()}, {missing.tolist()} are answered to no request "
            f"that asks for {size} items"
        )
        check_scorer(ready, world, asked(ready, world, world.requests))

    def one_by_one() -> Answer:
        subject.indexed(hooks, before)
        expect_added(subject.updated(hooks, world.catalog, added, none), world, added)
        return asked(subject.updated(hooks, left, none, removed), fewer, world.requests)

    def at_once() -> Answer:
        subject.indexed(hooks, before)
        ready = subject.updated(hooks, left, added[:-1], removed[:-1])
        expect_added(ready, fewer, added[:-1])
        return asked(ready, fewer, world.requests)

    expect_equal(subject.name, "the same index and updates once more", one_by_one(), one_by_one())
    expect_equal(subject.name, "the same index and one update that adds and removes", at_once(), at_once())


def check_seed_and_saving(subject: Subject, world: World, answer: Answer) -> None:
    """The same seed, the same answers; and what a fresh instance loads answers alike."""
    first = subject.trained(world.training)
    saves = implements(first, "save")
    if saves != implements(first, "load"):
        raise HookError(f"{subject.name} has only one of save and load: a run needs both or neither")

    def expect(case: str, ready: Ready) -> None:
        expect_equal(subject.name, case, answer, asked(ready, world, world.requests))

    with tempfile.TemporaryDirectory(prefix="bench-") as folder, lent_context() as context:
        train, index = Path(folder) / "train", Path(folder) / "index"
        train.mkdir()
        index.mkdir()
        if saves:
            first.save(folder=train, phase="train")
        again = subject.indexed(first, world.catalog)
        expect("a second training under the same seed (use context.rng or context.seed)", again)
        if not saves:
            return
        second = subject.fresh()
        second.load(folder=train, phase="train", context=context)
        expect("a fresh instance that loaded what train made", subject.indexed(second, world.catalog))
        second.save(folder=index, phase="index")
        third = subject.fresh()
        third.load(folder=train, phase="train", context=context)
        third.load(folder=index, phase="index", context=context)
        expect("a fresh instance that loaded what train and index made", subject.revealed(third, world.catalog))
        pickled = [path.name for path in sorted(Path(folder).rglob("*")) if path.is_file() and _holds_pickle(path)]
    assert not pickled, f"{subject.name}: {', '.join(pickled)} holds a pickle: save as .npy, Arrow, safetensors or JSON"


def check_device(subject: Subject, world: World, device: str) -> None:
    """On another device: what was trained on the CPU answers as there, and what is trained there keeps the promises."""
    elsewhere = dataclasses.replace(subject, device=device)
    first = subject.trained(world.training)
    if implements(first, "save"):
        expected = asked(subject.indexed(first, world.catalog), world, world.requests)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, lent_context(device) as context:
            for phase in ("train", "index"):
                (Path(folder) / phase).mkdir()
                first.save(folder=Path(folder) / phase, phase=phase)
            second = elsewhere.fresh()
            second.load(folder=Path(folder) / "train", phase="train", context=context)
            second.load(folder=Path(folder) / "index", phase="index", context=context)
            ready = elsewhere.revealed(second, world.catalog)
            expect_equal(
                subject.name, f"on {device}, what the CPU trained", expected, asked(ready, world, world.requests)
            )
    ready = elsewhere.ready(world)
    answer = asked(ready, world, world.requests)
    check_requests(ready, world, answer)
    check_scorer(ready, world, answer)


def check_one_item(subject: Subject, world: World, answer: Answer) -> None:
    """A catalog of one item. A method whose parameters ask for more says so (ParameterError)."""
    small = make_world(users=6, items=1, new_items=0)
    with contextlib.suppress(ParameterError):
        asked(subject.ready(small), small, small.requests)


def check_bare(subject: Subject, world: World, answer: Answer) -> None:
    """Interactions alone: no features, profiles, times or ratings. A method that needs them says so (Unavailable)."""
    bare = make_world(described=False)
    with contextlib.suppress(Unavailable):
        asked(subject.ready(bare), bare, bare.requests)


def _holds_pickle(path: Path) -> bool:
    """A pickle, a torch file (a zip with a pickle), or an array of objects."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    head = path.read_bytes()[:256]
    pickled = head[:1] == b"\x80" and head[8:9] != b"{"  # a safetensors file may begin so: its first number is a length
    return pickled or (head.startswith(b"\x93NUMPY") and b"'|O'" in head)
