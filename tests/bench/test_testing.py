"""check_method notices each broken promise, one mistake at a time."""

from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
import pytest

from bench import Answer, hookimpl, param
from bench.errors import HookError, InvalidAnswer
from bench.testing import check_device, check_method, checks
from bench_baselines.popularity import Popularity


@dataclass
class Exact:
    """A small right method, by popularity, without scores or any optional hook."""

    depth: int = param(0, phase="query", help="nothing", low=0)

    counts_: np.ndarray = field(init=False, repr=False)

    @hookimpl
    def train(self, data):
        self.counts_ = np.bincount(data.interactions.items, minlength=data.catalog.size)

    @hookimpl
    def index(self, catalog):
        self.candidates_ = catalog.candidates()
        self.popularity_ = np.zeros(catalog.size, np.float32)
        self.popularity_[: len(self.counts_)] = self.counts_

    @hookimpl
    def query(self, requests, k):
        scores = np.tile(self.popularity_[self.candidates_], (len(requests), 1))
        return Answer.top(self.candidates_, scores, k, requests.exclude)


def _answering(change):
    """Exact, with its answer changed by `change(self, requests, k, answer)`."""

    @dataclass
    class Changed(Exact):
        @hookimpl
        def query(self, requests, k):
            return change(self, requests, k, Exact.query(self, requests, k))

    return Changed


def test_a_right_method_passes():
    check_method(Exact)
    check_method(Exact, {"depth": "3"})


def test_settings_are_checked():
    with pytest.raises(Exception, match="Did you mean 'depth'"):
        check_method(Exact, {"dept": 3})


def test_a_misspelt_hook_is_an_error():
    @dataclass
    class Misspelt(Exact):
        @hookimpl
        def scores(self, requests):
            pass

    with pytest.raises(HookError, match="Did you mean 'score'"):
        check_method(Misspelt)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda self, requests, k, answer: answer.ids, "not an Answer"),
        (lambda self, requests, k, answer: Answer(answer.ids.astype(np.int64)), "int32"),
        (lambda self, requests, k, answer: Answer(answer.ids[:, :-1]), "shape"),
        (lambda self, requests, k, answer: Answer(np.where(answer.ids < 0, -1, 5).astype(np.int32)), "twice|excluded"),
        (lambda self, requests, k, answer: Answer(answer.ids[:, ::-1].copy()), "pad|another answer"),
        (lambda self, requests, k, answer: replace(answer, scores=answer.scores * np.nan), "NaN"),
    ],
)
def test_an_invalid_answer_is_refused(change, reason):
    with pytest.raises((InvalidAnswer, AssertionError), match=reason):
        check_method(_answering(change))


def test_excluded_items_are_noticed():
    def change(self, requests, k, answer):
        return Answer.top(self.candidates_, np.tile(self.popularity_[self.candidates_], (len(requests), 1)), k)

    with pytest.raises(InvalidAnswer, match="excluded"):
        check_method(_answering(change))


def test_ineligible_items_are_noticed():
    def change(self, requests, k, answer):
        everything = np.arange(len(self.popularity_), dtype=np.int32)
        return Answer.top(everything, np.tile(self.popularity_, (len(requests), 1)), k, requests.exclude)

    with pytest.raises(InvalidAnswer, match="not eligible") as raised:
        check_method(_answering(change))
    assert raised.value.__notes__ == ["bench.testing: check eligible"]


def test_worst_first_is_noticed():
    def change(self, requests, k, answer):
        return Answer(answer.ids, np.where(answer.ids < 0, -np.inf, -answer.scores))

    with pytest.raises(AssertionError, match="best first"):
        check_method(_answering(change))


def test_chance_that_the_seed_does_not_govern_is_noticed():
    def change(self, requests, k, answer):
        noise = np.random.default_rng().random((len(requests), len(self.candidates_)), np.float32)
        return Answer.top(self.candidates_, noise, k, requests.exclude)

    with pytest.raises(AssertionError, match="asked again gives another answer"):
        check_method(_answering(change))


def test_unseeded_training_is_noticed():
    @dataclass
    class Restless(Exact):
        @hookimpl
        def train(self, data):
            self.counts_ = np.random.default_rng().permutation(data.catalog.size)

    with pytest.raises(AssertionError, match="second training under the same seed"):
        check_method(Restless)


def test_answers_that_depend_on_the_batch_are_noticed():
    def change(self, requests, k, answer):
        scores = np.tile(self.popularity_[self.candidates_], (len(requests), 1)) * (-1 if len(requests) == 1 else 1)
        return Answer.top(self.candidates_, scores, k, requests.exclude)

    with pytest.raises(AssertionError, match="request 0 of 24 on its own gives another answer"):
        check_method(_answering(change))


def test_changing_the_data_is_noticed():
    def change(self, requests, k, answer):
        requests.history.values[:] = 0
        return answer

    with pytest.raises(ValueError, match="read-only"):
        check_method(_answering(change))


def test_a_scorer_that_does_not_order_the_answers_is_noticed():
    @dataclass
    class Wrong(Popularity):
        @hookimpl
        def score(self, requests, items):
            return -Popularity.score(self, requests, items)

    with pytest.raises(AssertionError, match="score does not order the answer"):
        check_method(Wrong)


def test_scores_on_another_scale_than_the_scorer_are_noticed():
    @dataclass
    class Scaled(Popularity):
        @hookimpl
        def score(self, requests, items):
            return 2 * Popularity.score(self, requests, items)

    with pytest.raises(AssertionError, match=r"has scores .* and score gives"):
        check_method(Scaled)


@dataclass
class Living(Exact):
    """Exact, over a catalog that may change."""

    @hookimpl
    def update(self, catalog, added, removed):
        self.candidates_ = np.setdiff1d(np.append(self.candidates_, added), removed)
        self.popularity_ = np.append(self.popularity_, np.zeros(catalog.size - len(self.popularity_), np.float32))


def test_a_method_that_follows_a_live_catalog_passes():
    check_method(Living)


def test_an_update_that_keeps_removed_items_is_noticed():
    @dataclass
    class Keeping(Living):
        @hookimpl
        def update(self, catalog, added):
            Living.update(self, catalog, added, [])

    with pytest.raises(InvalidAnswer, match="not eligible") as raised:
        check_method(Keeping)
    assert raised.value.__notes__ == ["bench.testing: check update"]


def test_an_update_that_keeps_removed_items_where_others_come_is_noticed():
    @dataclass
    class Either(Living):
        @hookimpl
        def update(self, catalog, added, removed):
            Living.update(self, catalog, added, [] if len(added) else removed)

    with pytest.raises(InvalidAnswer, match="not eligible"):
        check_method(Either)


def test_an_update_that_loses_added_items_is_noticed():
    @dataclass
    class Losing(Living):
        @hookimpl
        def update(self, catalog, added, removed):
            Living.update(self, catalog, added[1:], removed)

    with pytest.raises(AssertionError, match=r"\[60\] are answered to no request"):
        check_method(Losing)


def test_an_update_that_depends_on_chance_is_noticed():
    @dataclass
    class Fickle(Living):
        @hookimpl
        def update(self, catalog, added, removed):
            Living.update(self, catalog, added, removed)
            self.popularity_ = np.random.default_rng().random(catalog.size, np.float32)

    with pytest.raises(AssertionError, match="the same index and updates once more"):
        check_method(Fickle)


def test_save_without_load_is_an_error():
    @dataclass
    class Half(Exact):
        @hookimpl
        def save(self, folder):
            pass

    with pytest.raises(HookError, match="only one of save and load"):
        check_method(Half)


def test_state_that_is_not_saved_is_noticed():
    @dataclass
    class Forgetful(Popularity):
        @hookimpl
        def load(self, folder, phase):
            Popularity.load(self, folder, phase)
            if phase == "train":
                self.counts_ = self.counts_[::-1].copy()

    with pytest.raises(AssertionError, match="loaded what train made"):
        check_method(Forgetful)


def test_a_pickle_is_noticed():
    @dataclass
    class Pickling(Popularity):
        @hookimpl
        def save(self, folder, phase):
            Popularity.save(self, folder, phase)
            np.save(folder / "names.npy", np.array([None, "a"], object), allow_pickle=True)

    with pytest.raises(AssertionError, match=r"names\.npy.* holds a pickle"):
        check_method(Pickling)


def test_a_method_that_fails_on_one_item_is_told_where():
    @dataclass
    class Proud(Exact):
        @hookimpl
        def train(self, data):
            if data.catalog.size == 1:
                raise ZeroDivisionError("one item")
            Exact.train(self, data)

    with pytest.raises(ZeroDivisionError) as raised:
        check_method(Proud)
    assert raised.value.__notes__ == ["bench.testing: check one item"]


def test_threads_beyond_the_one_allowed_are_noticed(monkeypatch):
    monkeypatch.setattr(checks, "process_time", lambda: 2 * perf_counter())  # as if two threads worked all the time
    with pytest.raises(AssertionError, match=r"used 2\.0 CPU seconds a second with context\.threads = 1"):
        check_method(Exact)


@dataclass
class Kept(Exact):
    """Exact that can be loaded elsewhere."""

    @hookimpl
    def save(self, folder, phase):
        known = {"counts": self.counts_} if phase == "train" else {"items": self.candidates_, "score": self.popularity_}
        for name, values in known.items():
            np.save(folder / f"{name}.npy", values)

    @hookimpl
    def load(self, folder, phase):
        if phase == "train":
            self.counts_ = np.load(folder / "counts.npy")
        else:
            self.candidates_, self.popularity_ = np.load(folder / "items.npy"), np.load(folder / "score.npy")


def test_a_method_that_answers_otherwise_on_a_device_is_noticed():
    check_device(Kept, device="cuda")

    @dataclass
    class Other(Kept):
        @hookimpl
        def query(self, requests, k, context):
            if context.device == "cuda":
                self.popularity_ = -self.popularity_
            return Exact.query(self, requests, k)

    with pytest.raises(AssertionError, match="Other: on cuda, what the CPU trained gives another answer"):
        check_device(Other, device="cuda")


def test_a_method_that_cannot_be_trained_on_a_device_is_noticed():
    @dataclass
    class Untrained(Kept):
        @hookimpl
        def train(self, data, context):
            if context.device == "cuda":
                raise RuntimeError("no kernel of this operation")
            Exact.train(self, data)

    with pytest.raises(RuntimeError, match="no kernel"):
        check_device(Untrained, device="cuda")


def test_doctor_checks_every_method_on_a_device_and_names_what_differs(call, monkeypatch):
    checked = []

    def check(cls, settings, *, device):
        checked.append((cls.__name__, device))
        if cls.__name__ == "TDM":
            raise AssertionError("TDM: on cuda gives another answer")

    monkeypatch.setattr("bench.report.device.check_device", check)
    code, out, _ = call("doctor", "--device", "cuda")
    assert code == 1 and "Not in order: tdm." in out
    assert len(checked) > 15 and {device for _, device in checked} == {"cuda"}
    line = next(line for line in out.splitlines() if line.split()[:1] == ["dvf"])
    assert "as on the CPU" in line
