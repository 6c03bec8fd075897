"""The curvature of a set that is dealt out to processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .curvature import Curvature, mean_of


class SharedCurvature:
    """Mini-batches dealt out in turn, the first to process 0; every process asks for the same products at a time.

    A product of the whole set is shared out; one of a mini-batch is made by its owner. Both are what one process with
    all mini-batches would get, up to the order in which float64 numbers are added.

    Args:
        own: Curvature of this process's mini-batches; None if it has none.
        params: Chosen parameters.
        rank: Of this process.
        lengths: Numbers of mini-batches of all processes.
        kind: 'hessian' or 'ggn'.
        add_up: Sums a tensor over the processes, in place, and returns it.
    """

    def __init__(
        self,
        own: Curvature | None,
        params: dict[str, nn.Parameter],
        rank: int,
        lengths: Sequence[int],
        kind: str,
        add_up: Callable[[Tensor], Tensor],
    ) -> None:
        self.params, self.kind, self.evaluations = params, kind, 0
        self._own, self._rank, self._add_up = own, rank, add_up
        self._owner = [
            (owner, i) for i in range(max(lengths)) for owner, n in enumerate(lengths) if i < n
        ]

    def __len__(self) -> int:
        return len(self._owner)

    def product(self, vector: Tensor, batch: int | None = None) -> Tensor:
        return mean_of(self.sums(vector, batch), vector)

    def sums(self, vector: Tensor, batch: int | None = None) -> Tensor:
        owner, index = (self._rank, None) if batch is None else self._owner[batch]
        if owner == self._rank and self._own is not None:
            part = self._own.sums(vector, index)
        else:
            part = vector.new_zeros(len(vector) + 1, dtype=torch.double)
        total = self._add_up(part)
        self.evaluations += int(total[-1])
        return total
