"""Path models: node by node a softmax, given the user and the nodes chosen before."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from bench_neural.history import CausalTransformer

SPREAD = 0.25  # length of a node's vector at first


class PathModel(nn.Module, ABC):
    """p(c_1 .. c_D | x) = prod_d p(c_d | x, c_1 .. c_(d-1)), each factor a softmax over K nodes.

    nodes: K; layers: D. Shapes: R requests or moments, P paths of each; d = dim.
    """

    def __init__(self, nodes: int, layers: int) -> None:
        super().__init__()
        self.nodes, self.layers = nodes, layers

    @abstractmethod
    def begun(self, states: Tensor) -> list[Tensor]:
        """What is computed from users' states (R, d) alone, whichever path is looked at: first dimension R."""

    @abstractmethod
    def logits(self, layer: int, begun: list[Tensor], codes: Tensor) -> Tensor:
        """The logits (R, P, K) of a layer's nodes after the nodes codes int64 (R, P, layer or more); (R, 1, K) of the
        first layer, which has none before."""

    def forward(self, states: Tensor, codes: Tensor) -> Tensor:
        """log p (R, P) of each request's own paths: states (R, d), codes int64 (R, P, D)."""
        begun = self.begun(states)
        total = states.new_zeros(codes.shape[:2])
        for layer in range(self.layers):
            chances = self.logits(layer, begun, codes).log_softmax(2)  # (R, 1 or P, K)
            total = total + chances.expand(-1, codes.shape[1], -1).gather(2, codes[:, :, layer, None])[:, :, 0]
        return total


class PathLayers(PathModel):
    """Each layer an MLP over the user's state and the vectors of all nodes before (Deep Retrieval, equation 1).

    What a hidden layer sees is a sum: of the state's part, once a request, and of each earlier node's, once a model.
    """

    def __init__(self, dim: int, nodes: int, layers: int, hidden: int) -> None:
        super().__init__(nodes, layers)
        self.vectors = nn.Parameter(torch.randn(max(0, layers - 1), nodes, dim) * SPREAD * dim**-0.5)
        self.own = nn.ModuleList(nn.Linear(dim, hidden) for _ in range(layers))
        self.before = nn.ModuleList(nn.Linear(dim * at, hidden, bias=False) for at in range(1, layers))
        self.judges = nn.ModuleList(nn.Linear(hidden, nodes) for _ in range(layers))
        self._kept: list[Tensor] | None = None

    def train(self, mode: bool = True) -> PathLayers:
        """As of any module; what was kept of the weights as they were is forgotten."""
        self._kept = None
        return super().train(mode)

    def begun(self, states: Tensor) -> list[Tensor]:
        return [own(states) for own in self.own]

    def logits(self, layer: int, begun: list[Tensor], codes: Tensor) -> Tensor:
        hidden = begun[layer][:, None]  # (R, 1, h)
        for at in range(layer):
            hidden = hidden + self.tables()[layer - 1][at][codes[:, :, at]]  # (R, P, h)
        logits: Tensor = self.judges[layer](hidden.relu())
        return logits

    def tables(self) -> list[Tensor]:
        """For each layer after the first what the earlier nodes bring to its hidden layer, (earlier layers, K, h)."""
        if self._kept is not None and not torch.is_grad_enabled():
            return self._kept
        dim = self.vectors.shape[2]
        made = [
            torch.bmm(self.vectors[:at], before.weight.view(-1, at, dim).permute(1, 2, 0))
            for at, before in enumerate(self.before, 1)
        ]
        if not self.training and not torch.is_grad_enabled():
            self._kept = made
        return made


class SequenceLayers(PathModel):
    """A causal transformer over the user's state and the vectors of the nodes before, as one that writes the path down
    (Recommender Systems with Generative Retrieval, NeurIPS 2023)."""

    def __init__(self, dim: int, nodes: int, layers: int, blocks: int, heads: int, dropout: float) -> None:
        super().__init__(nodes, layers)
        self.vectors = nn.Parameter(torch.randn(max(0, layers - 1), nodes, dim) * SPREAD * dim**-0.5)
        self.decoder = CausalTransformer(dim, layers - 1, blocks, heads, dropout)
        self.judges = nn.ModuleList(nn.Linear(dim, nodes) for _ in range(layers))

    def begun(self, states: Tensor) -> list[Tensor]:
        return [states * states.shape[1] ** -0.5]  # the decoder expects the size of embeddings

    def logits(self, layer: int, begun: list[Tensor], codes: Tensor) -> Tensor:
        (start,) = begun
        count = codes.shape[1] if layer else 1
        logits: Tensor = self.judges[layer](self._read(start, codes[:, :count, :layer])[:, :, layer])
        return logits

    def forward(self, states: Tensor, codes: Tensor) -> Tensor:
        read = self._read(*self.begun(states), codes[:, :, :-1])  # (R, P, D, d): all layers at once
        total = states.new_zeros(codes.shape[:2])
        for layer, judge in enumerate(self.judges):
            chances = judge(read[:, :, layer]).log_softmax(2)
            total = total + chances.gather(2, codes[:, :, layer, None])[:, :, 0]
        return total

    def _read(self, start: Tensor, codes: Tensor) -> Tensor:
        """The decoder's states (R, P, n + 1, d) after n nodes int64 (R, P, n), n from 0 on."""
        rows, paths, length = codes.shape
        dim = start.shape[1]
        vectors = [self.vectors[at][codes[:, :, at]] for at in range(length)]
        met = torch.stack(vectors, 2).flatten(0, 1) if length else start.new_zeros(rows * paths, 0, dim)
        states: Tensor = self.decoder(met, start[:, None].expand(-1, paths, -1).flatten(0, 1))
        return states.view(rows, paths, length + 1, dim)
