"""The path model: layer by layer a softmax over nodes, given the user and the nodes chosen before."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SPREAD = 0.25  # length of a node's vector at first


class PathLayers(nn.Module):
    """p(c_1 .. c_D | x) = prod_d p(c_d | x, c_1 .. c_(d-1)), each a softmax over K nodes of an MLP over the user's
    state and the vectors of the nodes before (Deep Retrieval, equation 1).

    What a hidden layer sees is a sum: of the state's part, once a request, and of each earlier node's, once a model.
    Shapes: R requests or moments, P paths; d = dim, h = hidden.
    """

    def __init__(self, dim: int, nodes: int, layers: int, hidden: int) -> None:
        super().__init__()
        self.nodes, self.layers = nodes, layers
        self.vectors = nn.Parameter(torch.randn(max(0, layers - 1), nodes, dim) * SPREAD * dim**-0.5)
        self.own = nn.ModuleList(nn.Linear(dim, hidden) for _ in range(layers))
        self.before = nn.ModuleList(nn.Linear(dim * at, hidden, bias=False) for at in range(1, layers))
        self.judges = nn.ModuleList(nn.Linear(hidden, nodes) for _ in range(layers))

    def tables(self) -> list[Tensor]:
        """For each layer after the first what the earlier nodes bring to its hidden layer, (earlier layers, K, h)."""
        dim = self.vectors.shape[2]
        return [
            torch.bmm(self.vectors[:at], before.weight.view(-1, at, dim).permute(1, 2, 0))
            for at, before in enumerate(self.before, 1)
        ]

    def logits(self, layer: int, own: Tensor, tables: list[Tensor], codes: Tensor) -> Tensor:
        """The logits (R, P, K) of a layer's nodes. own (R, h): the state's part; codes int64 (R, P, layer or more): the
        nodes before."""
        hidden = own[:, None]  # (R, 1, h)
        for at in range(layer):
            hidden = hidden + tables[layer - 1][at][codes[:, :, at]]  # (R, P, h)
        logits: Tensor = self.judges[layer](hidden.relu())
        return logits

    def forward(self, states: Tensor, codes: Tensor) -> Tensor:
        """log p (R, P) of each request's own paths: states (R, d), codes int64 (R, P, D)."""
        tables = self.tables()
        total = states.new_zeros(codes.shape[:2])
        for layer, own in enumerate(self.own):
            chances = self.logits(layer, own(states), tables, codes).log_softmax(2)  # (R, 1 or P, K)
            total = total + chances.expand(-1, codes.shape[1], -1).gather(2, codes[:, :, layer, None])[:, :, 0]
        return total
