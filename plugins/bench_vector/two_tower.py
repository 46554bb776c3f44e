"""The two-tower method: one vector a request, one an item, and an index for the nearest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench import param
from bench_neural.encoders import ItemBias, ItemEncoder, ProfileEncoder
from bench_neural.history import HISTORIES, history_of
from bench_neural.users import UserEncoder
from bench_vector.augmented import AUGMENTS, AugmentedTowers, Mimicry
from bench_vector.method import VectorMethod
from bench_vector.models import MODELS, Model
from bench_vector.structures import SHORTCUTS, structure_of
from bench_vector.tower import Towers


@dataclass
class TwoTower(VectorMethod):
    """Two towers: a request's vector from its history and profile, an item's from its id and side information.

    The user tower is a causal transformer over the history (or a GRU, or its pooled mean), trained on every moment of
    random windows; the item tower adds the item's own embedding and those of its side information, so that an item
    which training never saw still has a vector. Deep Structured Semantic Models (CIKM 2013) with the encoder of SASRec
    (ICDM 2018) and a softmax corrected by logQ as in Sampling-Bias-Corrected Neural Modeling (RecSys 2019).

    `model` makes it another of the family. Of the history's state against the sum of an item's embeddings: sasrec,
    gru4rec (ICLR 2016), youtube_dnn (RecSys 2016), hyperbolic (distance on the hyperboloid, as CurvLearn). Of layers
    over the fields of both towers, by cosine: dssm; senet weighs the fields first (FiBiNET, RecSys 2019); shortcut
    leads them past layers; parallel has a cross network and FM beside the layers; dat adds vectors that mimic the other
    tower (DLP-KDD 2021). With losses of their own: que2search (KDD 2021; channels weighed by attention, softmax in the
    batch, in the second half of training hinge against the hardest), ebr (KDD 2020; hinge, hard negatives of ranks 101
    to 500), mgdspr (KDD 2021; softmax at temperature 2, mixed-up negatives; several grains of the history are fields).

    Departures: no user id enters; all share the encoder of histories but for those that are named after theirs; a share
    `later` of the targets is any later item of the window rather than the next, because requests may ask for more than
    the next item.
    """

    version: ClassVar[str] = "1"

    model: str = param(
        "sasrec",
        help="sasrec, gru4rec, youtube_dnn: the history's state against the sum of an item's embeddings; dssm: layers "
        "over the fields of both; senet, shortcut, parallel: its kin; que2search, ebr, mgdspr, dat, hyperbolic: as "
        "their papers, in structure, loss and negatives",
        choices=tuple(MODELS),
    )
    encoder: str = param("auto", help="how a history becomes a vector", choices=("auto", *HISTORIES))
    blocks: int = param(2, help="transformer blocks", low=1, high=64)
    heads: int = param(2, help="attention heads, a divisor of dim", low=1, high=64)
    hidden: int = param(128, help="width of the layers over the fields", low=1, high=65_536)
    shortcut: str = param(
        "last",
        help="model=shortcut: which layer sees the fields again; residual: their sum is added to the result; wide: the "
        "first stands beside it in a vector twice as long",
        choices=SHORTCUTS,
    )
    augment: str = param("bottom", help="model=dat: where the augmented vectors enter a tower", choices=AUGMENTS)
    mimic: float = param(0.5, help="model=dat: weight of the augmented vectors' loss", low=0.0, high=100.0)
    align: float = param(1.0, help="model=dat: weight of the alignment of categories", low=0.0, high=1e6)

    def stands_for(self) -> Model:
        return MODELS[self.model]

    def fresh_towers(self, items: ItemEncoder, profiles: ProfileEncoder, bias: ItemBias | None) -> Towers:
        model = self.settled()
        kind = model.encoder if self.encoder == "auto" else self.encoder
        history = history_of(kind, self.dim, self.length, self.blocks, self.heads, self.dropout)
        users = UserEncoder(profiles, history, self.dim, self.length)
        extra = int(model.mimics and self.augment == "bottom")
        fields = len(items.features.vocabulary.fields), len(profiles.features.vocabulary.fields)
        item, user = (
            structure_of(model.structure, count + extra, self.dim, self.hidden, self.dropout, self.shortcut)
            for count in (fields[0] + 1, fields[1] + 3)
        )
        if model.mimics:
            assert item is not None and user is not None
            mimicry = Mimicry(self.augment, self.mimic, self.align)
            return AugmentedTowers(items, users, bias, model.similarity, (item, user), mimicry)
        return Towers(items, users, bias, model.similarity, (item, user))
