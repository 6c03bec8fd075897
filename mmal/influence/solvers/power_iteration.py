from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def largest_eigenvalue(
    product: Callable[[Tensor], Tensor],
    like: Tensor,
    steps: int = 10,
    generator: torch.Generator | None = None,
) -> float:
    """Largest eigenvalue in absolute value of a symmetric matrix, from below, by power iteration.

    Args:
        product: Multiplies a vector of shape (P,) by the matrix.
        like: A vector of the shape, type and device wanted.
        steps: Products made. Defaults to 10.
        generator: Of the random start; on the processor.
    """
    x = torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like)
    value = 0.0
    for _ in range(steps):
        x = product(x / x.norm())
        value = float(x.norm())
        if not value > 0 or value == float('inf'):
            break
    return value
