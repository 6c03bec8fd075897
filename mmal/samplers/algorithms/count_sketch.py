"""Count sketch: shorter vectors whose inner products are the same on average."""

from __future__ import annotations

import torch
from torch import Tensor


def count_sketch(gradients: Tensor, dim: int, seed: int) -> Tensor:
    r"""Sketch vectors to ``dim`` numbers (Charikar, Chen & Farach-Colton, ICALP 2002).

    Each coordinate j is added, with a random sign, to a random one of the ``dim`` buckets:

    .. math:: y_b = \sum_{j: h(j) = b} \sigma_j x_j

    For any two vectors, the expectation of the sketches' inner product is the vectors' own.

    It takes O(N P) time and O(N P) memory for N vectors of length P.

    Args:
        gradients: Vectors, shape (N, P).
        dim: Largest length of a result.
        seed: Seed of the random buckets and signs.

    Returns:
        Sketches of shape (N, ``dim``); the vectors themselves where P is not larger than ``dim``.
    """
    size = gradients.shape[1]
    if size <= dim:
        return gradients
    generator = torch.Generator().manual_seed(seed)
    bucket = torch.randint(dim, (size,), generator=generator)
    coin = torch.randint(2, (size,), generator=generator)
    sign = coin * 2.0 - 1
    signed = gradients * sign.to(gradients)
    sketch = gradients.new_zeros(len(gradients), dim)
    return sketch.index_add_(1, bucket, signed)
