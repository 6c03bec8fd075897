"""Batches of images: grouping by shape, cutting outputs into images, memory layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from .base import Item

T = TypeVar('T')


def group_by_shape(items: Sequence[Item]) -> list[list[int]]:
    """Group dataset items by the shape of their images: padding to a common size changes the loss.

    Args:
        items: Dataset items; ``inputs`` holds the image.

    Returns:
        Row numbers of each group, in order of the group's first row.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, item in enumerate(items):
        shape = tuple(item['inputs'].shape)
        groups.setdefault(shape, []).append(row)
    return list(groups.values())


def batches_by_shape(items: Sequence[Item]) -> Iterator[tuple[list[int], list[Item]]]:
    """Cut dataset items into batches of one shape.

    Args:
        items: Dataset items.

    Yields:
        Row numbers and items of each batch, see :func:`group_by_shape`.
    """
    for rows in group_by_shape(items):
        yield rows, [items[row] for row in rows]


def in_row_order(values: Mapping[int, T]) -> list[T]:
    """Return values in the order of their rows.

    Args:
        values: Values by row number.
    """
    return [values[row] for row in sorted(values)]


def unbatch(outputs: Any, n: int) -> list[Any]:
    """Cut the outputs of a batch into one nest per sample.

    Each tensor is split at once, so that the graph gets one backward node per tensor.

    Args:
        outputs: Tensors in nested tuples, lists and dicts, samples in dimension 0. Leaves that are
            no tensors are given to every sample.
        n: Number of samples.

    Returns:
        n nests like ``outputs``, each with one sample in dimension 0.
    """
    if n == 1:
        return [outputs]
    leaves, structure = tree_flatten(outputs)
    pieces: list[Sequence[Any]] = []
    for leaf in leaves:
        if isinstance(leaf, Tensor):
            pieces.append(torch.split(leaf, 1))
        else:
            pieces.append((leaf,) * n)
    samples = []
    for i in range(n):
        sample_leaves = [piece[i] for piece in pieces]
        samples.append(tree_unflatten(sample_leaves, structure))
    return samples


def to_channels_last_on_cpu(inputs: Tensor) -> Tensor:
    """Lay out images with the channels last in memory where that is faster.

    On a CPU, convolutions have less to reorder then.

    Args:
        inputs: Images of shape (N, C, H, W). Tensors of another shape, or on another device, are
            returned as they are.
    """
    if inputs.dim() == 4 and inputs.device.type == 'cpu':
        return inputs.contiguous(memory_format=torch.channels_last)
    return inputs
