"""The curvature of a set whose mini-batches are dealt out to processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .curvature import Curvature, mean_of


class SharedCurvature:
    r"""The mean curvature of mini-batches that are dealt out in turn, the first to process 0.

    A product with the whole set is :math:`H h = \sum_r S_r h / \sum_r N_r`, where process r
    computes the sum :math:`S_r h` over its own :math:`N_r` samples. A product with one mini-batch
    is computed by the process that owns it. Both are what one process with all mini-batches would
    get, up to the order in which float64 numbers are added.

    All processes must ask for the same products in the same order.

    >>> from mmal.influence import DoubleBackward
    >>> model, x = nn.Linear(2, 1, bias=False), torch.tensor([[1.0, 2.0]])
    >>> params = dict(model.named_parameters())
    >>> own = DoubleBackward(lambda batch: model(batch)[:, 0].square() / 2, [x], params)
    >>> alone = lambda sums: sums  # there is one process
    >>> shared = SharedCurvature(own, params, 0, [1], 'hessian', all_reduce=alone)
    >>> shared.product(torch.tensor([1.0, 0.0]))
    tensor([1., 2.])

    Args:
        own: Curvature of this process's mini-batches, or None if it has none.
        params: The chosen parameters, P values in all.
        rank: Rank of this process.
        lengths: Number of mini-batches of each process, by rank.
        kind: 'hessian' or 'ggn', the kind of all processes' curvatures.
        all_reduce: A function that sums a tensor over the processes, in place, and returns it.

    Attributes:
        params: The chosen parameters.
        kind: 'hessian' or 'ggn'.
        evaluations: Number of per-sample products made so far by all processes together.
    """

    def __init__(
        self,
        own: Curvature | None,
        params: dict[str, nn.Parameter],
        rank: int,
        lengths: Sequence[int],
        kind: str,
        all_reduce: Callable[[Tensor], Tensor],
    ) -> None:
        self.params = params
        self.kind = kind
        self.evaluations = 0
        self._own = own
        self._rank = rank
        self._all_reduce = all_reduce
        self._owners = _dealt_out(lengths)

    def __len__(self) -> int:
        """Return the number of mini-batches of all processes."""
        return len(self._owners)

    def product(self, vector: Tensor, batch: int | None = None) -> Tensor:
        """Multiply a vector by the mean curvature.

        Args:
            vector: h, shape (P,).
            batch: Number of the mini-batch whose curvature is taken. Defaults to None: the whole
                set.

        Returns:
            H h, shape (P,), without a graph.
        """
        return mean_of(self.sums(vector, batch), vector)

    def sums(self, vector: Tensor, batch: int | None = None) -> Tensor:
        """Compute the sum of the per-sample products; see :meth:`Curvature.sums`.

        Args:
            vector: h, shape (P,).
            batch: Number of the mini-batch whose curvature is taken. Defaults to None: the whole
                set.

        Returns:
            A float64 vector of shape (P + 1,): the sum, and behind it the number of samples.
        """
        owner = self._rank
        own_batch: int | None = None
        if batch is not None:
            owner, own_batch = self._owners[batch]

        if owner == self._rank and self._own is not None:
            part = self._own.sums(vector, own_batch)
        else:
            part = vector.new_zeros(len(vector) + 1, dtype=torch.double)
        total = self._all_reduce(part)
        self.evaluations += int(total[-1])
        return total


def _dealt_out(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """For each mini-batch of the set, the rank that owns it and its number there."""
    owners: list[tuple[int, int]] = []
    for turn in range(max(lengths)):
        for rank, length in enumerate(lengths):
            if turn < length:
                owners.append((rank, turn))
    return owners
