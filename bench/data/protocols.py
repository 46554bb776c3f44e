"""The rules that turn interactions into training data, requests and targets. To add one, write its class and name it
in `protocols()`.

In each, l is the length of a user's sequence, repeats included, and the validation part follows the test part's rule.
"""

from __future__ import annotations

import datetime
import typing
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench import params
from bench.data.dataset import Dataset
from bench.data.splits import Part, Split, held_out, lengths_in_order, sampled, seeded_order, timestamps, without
from bench.errors import ParameterError, ProtocolError, UnknownName
from bench.params import param

_FIRST_DATE, _LAST_DATE = 10**8, 10**11  # seconds: 1973 and 5138


class Protocol(typing.Protocol):
    """A dataclass of `param(...)` fields with a `name` and a docstring whose first line is the rule."""

    name: ClassVar[str]

    def split(self, dataset: Dataset) -> Split:
        """Say what trains and what is asked. Raises ProtocolError where the data set does not allow it."""
        ...


@dataclass(frozen=True)
class UserHoldout:
    """Users are disjoint over the parts; a held-out user's first half is the history, the rest the targets.

    The history has l // 2 interactions, so the longer half is asked for. The rule of TDM, JTM, OTM and DR.
    """

    name: ClassVar[str] = "user-holdout"
    users: int = param(
        1000, low=1, help="held-out users for validation and for test; at most a fifth of the users each"
    )
    min_interactions: int = param(10, low=2, help="interactions that a user needs to be held out; others train")
    order: str = param(
        "time", choices=("time", "seeded"), help="each user's order: by time, or by chance where there is no time"
    )
    seed: int = param(0, low=0, help="seed that draws the held-out users (and the order)")

    def split(self, dataset: Dataset) -> Split:
        """See the class."""
        by_time = self.order == "time"
        lengths = lengths_in_order(dataset, self.name) if by_time else dataset.interactions.by_user.lengths
        validation, test = held_out(lengths, self.min_interactions, self.users, self.seed)
        return Split(
            training=without(lengths, validation, test),
            validation=Part(validation, lengths[validation] // 2, lengths[validation]),
            test=Part(test, lengths[test] // 2, lengths[test]),
            order=None if by_time else seeded_order(dataset, self.seed),
        )


@dataclass(frozen=True)
class NextItem:
    """Users are disjoint over the parts; a held-out user's one target is at the middle of the sequence.

    The target is the interaction at position ceil(l / 2), counted from 1, the history all before it. The rule of NANN.
    """

    name: ClassVar[str] = "next-item"
    users: int = param(
        1000, low=1, help="held-out users for validation and for test; at most a fifth of the users each"
    )
    min_interactions: int = param(3, low=3, help="interactions that a user needs to be held out; others train")
    seed: int = param(0, low=0, help="seed that draws the held-out users")

    def split(self, dataset: Dataset) -> Split:
        """See the class."""
        lengths = lengths_in_order(dataset, self.name)
        validation, test = held_out(lengths, self.min_interactions, self.users, self.seed)
        middle = (lengths + 1) // 2
        return Split(
            training=without(lengths, validation, test),
            validation=Part(validation, middle[validation] - 1, middle[validation]),
            test=Part(test, middle[test] - 1, middle[test]),
        )


@dataclass(frozen=True)
class LeaveLastOut:
    """Each user's last item is the test target and the one before it the validation target; the rest trains.

    The history of a test request includes the validation target. Users with fewer than `min_interactions` only train.
    The rule of SASRec, HSTU and MoL.
    """

    name: ClassVar[str] = "leave-last-out"
    users: int = param(0, low=0, help="at most so many users are asked, drawn by the seed; 0: all")
    min_interactions: int = param(3, low=3, help="interactions that a user needs to be asked; others only train")
    seed: int = param(0, low=0, help="seed that draws the users who are asked, where not all are")

    def split(self, dataset: Dataset) -> Split:
        """See the class."""
        lengths = lengths_in_order(dataset, self.name)
        asked = np.flatnonzero(lengths >= self.min_interactions)
        training = lengths.copy()
        training[asked] -= 2
        last = lengths[asked]
        return Split(
            training=training,
            validation=sampled(Part(asked, last - 2, last - 1), self.users, self.seed),
            test=sampled(Part(asked, last - 1, last), self.users, self.seed),
        )


@dataclass(frozen=True)
class Temporal:
    """One global cut in time: a request at the cut has a user's earlier items as history and the later ones as targets.

    Training ends at the validation cut, where the validation requests are asked; their targets end at the test cut,
    where the test requests are asked. An interaction at the very moment of a cut is after it. Users with fewer than
    `min_interactions` before a cut are not asked there (0 asks new users too, with an empty history). An item is new
    after training if it appears later, or, where the data do not say when items appear, if nobody met it earlier.
    """

    name: ClassVar[str] = "temporal"
    test_share: float = param(0.1, low=1e-6, high=0.9, help="share of the interactions that lie after the test cut")
    validation_share: float = param(0.1, low=1e-6, high=0.9, help="share of the interactions between the two cuts")
    test_from: str = param("", help="the test cut itself: an ISO date (UTC) or seconds; instead of test_share")
    validation_from: str = param("", help="the validation cut itself, likewise; instead of validation_share")
    min_interactions: int = param(1, low=0, help="interactions before the cut that a user needs to be asked")
    users: int = param(0, low=0, help="at most so many users are asked, drawn by the seed; 0: all")
    seed: int = param(0, low=0, help="seed that draws the users who are asked, where not all are")
    known: str = param(
        "met",
        choices=("met", "described"),
        help="the training catalog where items bear no date: items met before the cut, or all of the item file",
    )

    def split(self, dataset: Dataset) -> Split:
        """See the class."""
        times, interactions = timestamps(dataset, self.name), dataset.interactions
        validation_cut, test_cut = self.cuts(times)
        rows = len(interactions.by_user)
        before_validation = np.bincount(interactions.users[times < validation_cut], minlength=rows)
        before_test = np.bincount(interactions.users[times < test_cut], minlength=rows)
        return Split(
            training=before_validation,
            validation=self._part(before_validation, before_test, validation_cut),
            test=self._part(before_test, interactions.by_user.lengths, test_cut),
            training_ends=validation_cut,
            undated_known=self.known == "described",
        )

    def cuts(self, times: NDArray[np.int64]) -> tuple[int, int]:
        """The moments (validation, test) of the two cuts, seconds. Raises ProtocolError where time is too coarse."""
        ordered = np.sort(times)
        test = _moment("test_from", self.test_from)
        if test is None:
            test = int(ordered[int(len(ordered) * (1 - self.test_share))])
        validation = _moment("validation_from", self.validation_from)
        if validation is None:
            start = max(0.0, 1 - self.test_share - self.validation_share)
            validation = int(ordered[int(len(ordered) * start)])
            earlier = int(np.searchsorted(ordered, test))  # rows before the test cut
            if validation >= test and earlier:  # coarse time: the last moment before the test cut
                validation = int(ordered[earlier - 1])
        if not ordered[0] < validation < test <= ordered[-1]:
            raise ProtocolError(
                f"temporal: the cuts {_said(validation)} (validation) and {_said(test)} (test) leave a part empty: "
                f"times run from {_said(ordered[0])} to {_said(ordered[-1])}. Give validation_from and test_from, or "
                f"other shares."
            )
        return validation, test

    def _part(self, before: NDArray[np.int64], until: NDArray[np.int64], cut: int) -> Part:
        asked = np.flatnonzero((before >= self.min_interactions) & (until > before))
        part = Part(asked, before[asked], until[asked], np.full(len(asked), cut, np.int64))
        return sampled(part, self.users, self.seed)


@dataclass(frozen=True)
class UserRatio:
    """The first 80% of each user's sequence trains, the rest are targets.

    Validation targets are the last `validation_share` of the sequence before the test targets and do not train. Parts
    are rounded down: training floor(.7 l), with the validation targets floor(.8 l). The rule of dismember.
    """

    name: ClassVar[str] = "user-ratio"
    train_share: float = param(0.8, low=0.01, high=0.99, help="share of a sequence before the test targets")
    validation_share: float = param(0.1, low=0.001, high=0.9, help="share of it, the last before them, for validation")
    min_interactions: int = param(5, low=2, help="interactions that a user needs to be asked; others only train")
    users: int = param(0, low=0, help="at most so many users are asked, drawn by the seed; 0: all")
    seed: int = param(0, low=0, help="seed that draws the users who are asked, where not all are")

    def split(self, dataset: Dataset) -> Split:
        """See the class."""
        if self.validation_share >= self.train_share:
            raise ParameterError("user-ratio: validation_share must be less than train_share, of which it is a part")
        lengths = lengths_in_order(dataset, self.name)
        asked = lengths >= self.min_interactions
        trained = np.where(asked, _floor(lengths, self.train_share - self.validation_share), lengths)
        before = np.where(asked, _floor(lengths, self.train_share), lengths)
        validation = np.flatnonzero((before > trained) & (trained > 0))
        test = np.flatnonzero((lengths > before) & (before > 0))
        return Split(
            training=trained,
            validation=sampled(Part(validation, trained[validation], before[validation]), self.users, self.seed),
            test=sampled(Part(test, before[test], lengths[test]), self.users, self.seed),
        )


@dataclass(frozen=True)
class Nearest:
    """Index-only: vectors are asked for their exact nearest neighbours among the data set's vectors.

    The rule of ANN benchmarks, for data sets of vectors (mnist): recall@k of k neighbours is the share of them found.
    """

    name: ClassVar[str] = "nearest"
    neighbors: int = param(10, low=1, help="nearest neighbours that each request should find")
    validation: int = param(1000, low=1, help="requests that are for validation, at most half; the others are the test")
    requests: int = param(0, low=0, help="at most so many test requests; 0: all")
    seed: int = param(0, low=0, help="seed that draws the validation requests")

    def split(self, dataset: Dataset) -> Split:
        """Always raises ProtocolError: sequences have no vectors to ask with."""
        raise ProtocolError(
            f"{dataset.name} has interactions and no vectors: nearest is for data sets of vectors, such as mnist. Use "
            f"--protocol user-holdout, next-item, leave-last-out, temporal or user-ratio."
        )


def protocols() -> dict[str, type[Protocol]]:
    """The protocols by name."""
    known: tuple[type[Protocol], ...] = (UserHoldout, NextItem, LeaveLastOut, Temporal, UserRatio, Nearest)
    return {protocol.name: protocol for protocol in known}


def parse(text: str) -> Protocol:
    """The protocol that "NAME" or "NAME:key=value,key=value" asks for. Raises UnknownName, ParameterError."""
    name, _, rest = text.partition(":")
    known = protocols()
    if name not in known:
        raise UnknownName("protocol", name, known)
    values = {}
    for setting in filter(None, rest.split(",")):
        key, equals, value = setting.partition("=")
        if not equals:
            raise ParameterError(f"protocol {text!r}: {setting!r} is not of the form key=value")
        values[key.strip()] = value.strip()
        if key.strip() not in params.parameters(known[name]):
            raise UnknownName(f"parameter of {name}", key.strip(), params.parameters(known[name]))
    protocol: Protocol = params.build(known[name], values)
    return protocol


def describe(protocol: Protocol) -> dict[str, Any]:
    """For JSON: {"name": ..., "parameters": {...}}, with every parameter."""
    return {
        "name": protocol.name,
        "parameters": {key: getattr(protocol, key) for key in params.parameters(type(protocol))},
    }


def _moment(parameter: str, text: str) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ParameterError(f"{parameter}={text!r} is neither seconds nor an ISO date such as 2000-12-31") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp())


def _said(moment: int) -> str:
    """A moment as `_moment` reads it; small numbers are periods, not seconds."""
    if not _FIRST_DATE <= moment < _LAST_DATE:
        return str(moment)
    return datetime.datetime.fromtimestamp(int(moment), datetime.UTC).replace(tzinfo=None).isoformat()


def _floor(lengths: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    return (lengths * share + 1e-9).astype(np.int64)  # .7 * 10 must be 7 whatever the last bit says
