"""What the methods that learn vectors may be told."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import ParameterError, param
from bench_neural.method import Learning
from bench_neural.moments import FULL_SOFTMAX_ITEMS
from bench_vector.indexed import Indexed
from bench_vector.models import Model
from bench_vector.objective import Aims
from bench_vector.tower import SIMILARITIES

COSINE_TEMPERATURE = 0.07
SURE = 0.99  # a target's probability with the highest cosine, against all others with the lowest


def range_temperature(items: int) -> float:
    """The temperature at which cosines of 1 for the target and -1 for all other items give it a probability of SURE:
    exp(1 / tau) / (exp(1 / tau) + (N - 1) exp(-1 / tau)) = p, so tau = 2 / log((N - 1) p / (1 - p))."""
    return 2 / math.log(max(1, items - 1) * SURE / (1 - SURE))


@dataclass
class VectorParameters(Indexed, Learning):
    """Parameters of vectors, of what they learn, and of the index over them; a method is a subclass.

    "auto" and -1 stand for what the model's paper does: see `stands_for`.
    """

    similarity: str = param(
        "auto",
        help="how vectors are compared, in the loss and in the index: inner product, cosine, or minus their "
        "hyperbolic distance",
        choices=("auto", *SIMILARITIES),
    )
    bias: bool = param(True, help="similarity=inner: add to each item's score one learnt number, at first by frequency")
    loss: str = param(
        "auto",
        help="softmax; bce: cross-entropy one by one, against one negative; gbce: against all that are drawn, "
        "calibrated; bpr: of differences; hinge: of differences up to `margin`; hardest: hinge against the best one",
        choices=("auto", "softmax", "bce", "gbce", "bpr", "hinge", "hardest"),
    )
    against: str = param(
        "auto",
        help="what a target is contrasted with. catalog: all items (softmax); drawn: items drawn for a batch; batch: "
        "its own targets; mixed: both; auto: the catalog where a softmax goes and it has up to 5,000 items, else drawn",
        choices=("auto", "catalog", "drawn", "batch", "mixed"),
    )
    correction: str = param(
        "logq",
        help="of a softmax that is not over the catalog, for how often items come up. logq; revised: not of the "
        "target, which is never drawn; streaming: logq by a moving estimate (batch); none",
        choices=("logq", "revised", "streaming", "none"),
    )
    negatives: int = param(1000, help="items drawn for each batch by against=drawn and mixed", low=1, high=1_000_000)
    margin: float = param(0.5, help="of loss=hinge and hardest", low=0.0, high=1000.0)
    hard: int = param(
        -1,
        help="hard negatives a user beside the drawn ones, anew after each epoch from the ranks of an exact search; "
        "-1: as the model's paper, mostly none",
        low=-1,
        high=10_000,
    )
    hard_from: int = param(101, help="first rank that hard negatives come from", low=1, high=1_000_000)
    hard_to: int = param(500, help="last rank that hard negatives come from", low=1, high=1_000_000)
    hard_weight: float = param(1.0, help="what a hard negative counts, in drawn ones", low=1e-6, high=1e6)
    mixed_up: int = param(
        -1,
        help="negatives a moment that lie between the target and the best drawn ones; -1: as the model's paper",
        low=-1,
        high=10_000,
    )
    calibration: float = param(0.75, help="of loss=gbce, its t: 0 none, 1 all", low=0.0, high=1.0)
    uniform: float = param(0.1, help="share of negatives drawn evenly instead", low=0.0, high=1.0)
    temperature: float = param(
        0.0,
        help="the loss divides scores by it; 0: as the model's paper, else 1, or .07 in a softmax of cosines; -1: the "
        "one at which the whole range of cosines gives a target a probability of .99",
        low=-1.0,
        high=100.0,
    )
    learn_temperature: bool = param(False, help="learn the temperature, from there on")

    def __post_init__(self) -> None:
        """Raises ParameterError where parameters do not go with one another."""
        super().__post_init__()
        model = self.settled()
        if model.against == "catalog":
            told = {
                f"loss={model.loss}": model.loss != "softmax",
                "similarity=hyperbolic": model.similarity == "hyperbolic",
                f"hard={model.hard}": model.hard,
                f"mixed_up={model.mixed_up}": model.mixed_up,
                f"a second stage of loss {model.then}": model.then,
            }
            for what, wrong in told.items():
                if wrong:
                    raise ParameterError(
                        f"against=catalog is a softmax over the inner products with every item: it does not go with "
                        f"{what}; leave one of them out"
                    )
        if model.hard and self.hard_from > self.hard_to:
            raise ParameterError(f"hard_from={self.hard_from} is after hard_to={self.hard_to}")
        if model.mixed_up and model.similarity == "hyperbolic":
            raise ParameterError("mixed_up lies between vectors by inner product: leave it out of a hyperbolic model")
        if self.temperature < 0 and (self.temperature > -1 or model.similarity != "cosine"):
            raise ParameterError(f"temperature={self.temperature}: -1 is for similarity=cosine, others are above 0")
        if self.correction == "streaming" and model.against != "batch":
            raise ParameterError("correction=streaming estimates how often items are in a batch: add against=batch")

    def stands_for(self) -> Model:
        """What the model stands for where parameters leave it open."""
        return Model(structure="plain", similarity="inner")

    def settled(self) -> Model:
        """The model with what the parameters say."""
        model = self.stands_for()
        similarity = model.similarity if self.similarity == "auto" else self.similarity
        own = similarity == model.similarity and self.loss == "auto"
        loss = model.loss if self.loss == "auto" else self.loss
        return Model(
            model.encoder,
            model.structure,
            similarity,
            loss,
            model.against if self.against == "auto" else self.against,
            self.temperature
            or (model.temperature if own else 0.0)
            or (COSINE_TEMPERATURE if similarity == "cosine" and loss == "softmax" else 1.0),
            model.hard if self.hard < 0 else self.hard,
            model.mixed_up if self.mixed_up < 0 else self.mixed_up,
            model.then if self.loss == "auto" else "",
            model.mimics,
        )

    def aims(self, counts: NDArray[np.int64], later: float, moments: int) -> Aims:
        """What is learnt. counts int64 [N]: training interactions; later, moments: as in Windows and Aims."""
        model = self.settled()
        against = model.against
        if against == "auto":
            open_to_all = model.loss == "softmax" and model.similarity != "hyperbolic" and not model.then
            small = np.count_nonzero(counts) <= FULL_SOFTMAX_ITEMS
            whole = small and open_to_all and not model.hard and not model.mixed_up
            against = "catalog" if whole else "drawn"
        return Aims(
            model.loss,
            against,
            self.correction,
            self.negatives,
            later,
            self.margin,
            self.calibration,
            self.hard_weight,
            model.mixed_up,
            moments,
        )
