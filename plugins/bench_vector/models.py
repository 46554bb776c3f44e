"""The two-tower family: each model as what sets it apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """What a model of the family stands for where the parameters do not say otherwise.

    encoder: how a history becomes a state; structure: how a tower makes a vector of its fields (structures.py);
    similarity, loss, against, temperature (0: 1, or .07 with cosine), hard, mixed_up: as the parameters; then: the loss
    of the second half of training, "" for the same; mimics: whether augmented vectors stand in for the other tower.
    """

    encoder: str = "attention"
    structure: str = "layers"
    similarity: str = "cosine"
    loss: str = "softmax"
    against: str = "auto"
    temperature: float = 0.0
    hard: int = 0
    mixed_up: int = 0
    then: str = ""
    mimics: bool = False


MODELS = {
    # Self-Attentive Sequential Recommendation, ICDM 2018
    "sasrec": Model(structure="plain", similarity="inner"),
    # Session-based Recommendations with Recurrent Neural Networks, ICLR 2016
    "gru4rec": Model(encoder="gru", structure="plain", similarity="inner"),
    # Deep Neural Networks for YouTube Recommendations, RecSys 2016
    "youtube_dnn": Model(encoder="pooled", structure="plain", similarity="inner"),
    # Deep Structured Semantic Models, CIKM 2013
    "dssm": Model(),
    "senet": Model(structure="senet"),
    "shortcut": Model(structure="shortcut"),
    "parallel": Model(structure="parallel"),
    # Que2Search: Fast and Accurate Query and Document Understanding for Search at Facebook, KDD 2021
    "que2search": Model(structure="channels", against="batch", temperature=1 / 20, then="hardest"),
    # Embedding-based Retrieval in Facebook Search, KDD 2020: a hundred easy to one hard, of 1,000 drawn
    "ebr": Model(loss="hinge", temperature=1.0, hard=10),
    # Embedding-based Product Retrieval in Taobao Search (MGDSPR), KDD 2021
    "mgdspr": Model(similarity="inner", temperature=2.0, mixed_up=4),
    # A Dual Augmented Two-tower Model for Online Large-scale Recommendation (DAT), DLP-KDD 2021
    "dat": Model(mimics=True),
    # CurvLearn: hyperbolic distance in place of the inner product
    "hyperbolic": Model(structure="plain", similarity="hyperbolic", temperature=0.3),
}
