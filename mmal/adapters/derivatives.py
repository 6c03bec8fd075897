"""Directional derivatives of pseudo-label losses: what both kinds of model share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmal.influence.method_selection import Rejection, Selection

from .base import ImageId, Item, PseudoLabels
from .batching import batches_by_shape, in_row_order

MAX_CHECKED_BATCHES = 5
"""Largest number of batches on which methods are compared with plain autograd."""

MAX_DIFFERENCES = 2
"""Number of batches on which a method must differ from plain autograd before it is given up."""

Log: TypeAlias = Callable[[str], None]
"""Receives one line of the log."""

Prepare: TypeAlias = Callable[[list[Item]], tuple[Tensor, list[Any]]]
"""Makes inputs (N, C, H, W) and data samples of dataset items of one shape."""

Derivatives: TypeAlias = tuple[Tensor, list[int]]
"""direction . G_z of each image, shape (N,), and each image's number of pseudo-labels."""


@dataclass(frozen=True)
class DerivativeBatch:
    """Images of one shape, and what is asked of them.

    Attributes:
        inputs: Images as the network takes them, of shape (N, C, H, W).
        samples: Data sample of each image.
        image_ids: Id of each image.
        params: The parameters by name, P values in all.
        direction: s, of shape (P,).
        pseudo_labels: Which predictions count.
    """

    inputs: Tensor
    samples: list[Any]
    image_ids: list[ImageId]
    params: dict[str, nn.Parameter]
    direction: Tensor
    pseudo_labels: PseudoLabels

    def first(self, n: int) -> DerivativeBatch:
        """Return the batch of the first images alone.

        Args:
            n: Number of images.
        """
        return replace(
            self,
            inputs=self.inputs[:n],
            samples=self.samples[:n],
            image_ids=self.image_ids[:n],
        )

    def image(self, row: int) -> Tensor:
        """Return one image, of shape (1, C, H, W).

        Args:
            row: Row of the image in the batch.
        """
        return self.inputs[row : row + 1]


DerivativeMethod: TypeAlias = Callable[[DerivativeBatch], Derivatives]
"""Computes the derivatives of a batch."""


def derivatives_by_shape(
    items: Sequence[Item],
    image_ids: Sequence[ImageId],
    params: dict[str, nn.Parameter],
    direction: Tensor,
    pseudo_labels: PseudoLabels,
    prepare: Prepare,
    compute: DerivativeMethod,
) -> Derivatives:
    """Compute derivatives of items of mixed shapes, one batch per shape.

    Args:
        items: Dataset items, at least one.
        image_ids: Ids of the items' images.
        params: The parameters by name, P values in all.
        direction: s, of shape (P,).
        pseudo_labels: Which predictions count.
        prepare: Makes inputs and data samples of dataset items of one shape.
        compute: Computes the derivatives of one batch.

    Returns:
        Derivatives and numbers of pseudo-labels, in the items' order.
    """
    values: dict[int, Tensor] = {}
    counts = [0] * len(items)
    for rows, batch_items in batches_by_shape(items):
        inputs, samples = prepare(batch_items)
        ids = [image_ids[row] for row in rows]
        batch = DerivativeBatch(inputs, samples, ids, params, direction, pseudo_labels)
        batch_values, batch_counts = compute(batch)
        values.update(zip(rows, batch_values.float(), strict=True))
        for row, count in zip(rows, batch_counts, strict=True):
            counts[row] = count
    return torch.stack(in_row_order(values)), counts


def log_to_current_logger(text: str) -> None:
    """Write a line to mmengine's current logger.

    Args:
        text: The line.
    """
    print_log(text, logger='current')


def selection_logger(log: Log) -> Callable[[Selection], None]:
    """Make the log of a :class:`~mmal.influence.method_selection.MethodSelector`.

    Args:
        log: Receives one line whenever the method changes: its name, and why faster methods were
            not taken.
    """

    def log_selection(selection: Selection) -> None:
        if not selection.changed:
            return
        reasons = []
        if selection.reason:
            reasons.append(selection.reason)
        for rejection in selection.rejections:
            reasons.append(_rejection_text(rejection))
        explanation = ''
        if reasons:
            explanation = f' ({"; ".join(reasons)})'
        log(f'Directional derivative: {selection.method}{explanation}')

    return log_selection


def _rejection_text(rejection: Rejection) -> str:
    if rejection.error is not None:
        return f'not {rejection.method}: {rejection.error}'
    return (
        f'not {rejection.method}: {rejection.values}, where plain autograd gives '
        f'{rejection.expected}'
    )
