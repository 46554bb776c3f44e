"""How weights move: AdamW for networks, a row-wise lazy rule for large tables, and one bound for all gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

FIRST, SECOND, LEAST = 0.9, 0.999, 1e-8  # Adam's betas and epsilon


class RowAdam:
    """Adam on the rows of a table (N, d) that a batch touched; its gradient is sparse, and no other row is read.

    A row's moments decay, and are corrected for having begun at 0, by the batches that touched this very row, and its
    second moment is one number, the mean over the row (partial row-wise Adam, as in FBGEMM): N (d + 2) numbers of
    state. A step costs what its rows cost, whatever N.
    """

    def __init__(self, table: nn.Parameter, weight_decay: float) -> None:
        self.table = table
        self.weight_decay = weight_decay
        self.state = {
            "first": torch.zeros_like(table),
            "second": table.new_zeros(len(table)),
            "steps": torch.zeros(len(table), dtype=torch.int32, device=table.device),
        }

    @torch.no_grad()
    def step(self, rows: Tensor, gradient: Tensor, rate: float) -> None:
        """Move `rows` int64 (n,), distinct, against their gradient (n, d)."""
        state = self.state
        first = state["first"].index_select(0, rows).lerp_(gradient, 1 - FIRST)
        second = state["second"].index_select(0, rows).lerp_(gradient.square().mean(1), 1 - SECOND)
        steps = state["steps"].index_select(0, rows) + 1
        for name, value in (("first", first), ("second", second), ("steps", steps)):
            state[name].index_copy_(0, rows, value)
        size = (second / (1 - SECOND**steps)).sqrt_().add_(LEAST).mul_(1 - FIRST**steps)  # (n,)
        if self.weight_decay:
            first += self.weight_decay * size[:, None] * self.table.index_select(0, rows)
        self.table.index_add_(0, rows, first.mul_((-rate / size)[:, None]))


class Optimiser:
    """AdamW for a model's parameters, RowAdam for those whose gradients are sparse (`embedding(..., sparse=True)`).

    Both rates are multiplied by the factor of each step; clip bounds the norm of the gradient of all taken together.
    """

    def __init__(
        self, model: nn.Module, learning_rate: float, tables_rate: float, weight_decay: float, clip: float
    ) -> None:
        self.weights = list(model.parameters())
        self.learning_rate, self.tables_rate = learning_rate, tables_rate
        self.weight_decay, self.clip = weight_decay, clip
        self.adam = torch.optim.AdamW(self.weights, lr=learning_rate, weight_decay=weight_decay, fused=True)
        self.rows: dict[int, RowAdam] = {}  # by the parameter's number

    def step(self, loss: Tensor, factor: float) -> None:
        """One step against the gradient of `loss`, at `factor` times the learning rates."""
        self.adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        moves, gradients = [], []
        for at, weight in enumerate(self.weights):
            if weight.grad is None:
                continue
            if weight.grad.is_sparse:
                rows, values = distinct(weight.grad)
                moves.append((self._rows(at), rows, values))
                weight.grad = None  # AdamW passes it over
            gradients.append(values if weight.grad is None else weight.grad)
        norm = nn.utils.get_total_norm(gradients)
        torch._foreach_mul_(gradients, (self.clip / (norm + 1e-6)).clamp(max=1.0))
        for group in self.adam.param_groups:
            group["lr"] = self.learning_rate * factor
        self.adam.step()
        for table, rows, values in moves:
            table.step(rows, values, self.tables_rate * factor)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Everything that a step depends on besides weights and gradients, by name."""
        for at, weight in enumerate(self.weights):
            for name, value in self.adam.state[weight].items():
                yield f"adam.{at}.{name}", value
        for at, table in self.rows.items():
            for name, value in table.state.items():
                yield f"rows.{at}.{name}", value

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` gave."""
        for key, value in tensors.items():
            kind, at, name = key.split(".")
            if kind == "adam":
                weight = self.weights[int(at)]
                self.adam.state[weight][name] = value.to(weight.device, copy=True)
            else:
                self._rows(int(at)).state[name].copy_(value)

    def _rows(self, at: int) -> RowAdam:
        if at not in self.rows:
            self.rows[at] = RowAdam(self.weights[at], self.weight_decay)
        return self.rows[at]


@torch.no_grad()
def distinct(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The rows int64 (n,) of a table's sparse gradient, ascending, each once, and their gradients (n, d) summed."""
    rows, place = torch.unique(gradient._indices()[0], return_inverse=True)
    values = gradient._values()
    return rows, values.new_zeros(len(rows), values.shape[1]).index_add_(0, place, values)
