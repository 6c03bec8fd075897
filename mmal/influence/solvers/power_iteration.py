"""The largest eigenvalue of a matrix that is known by its products."""

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
    r"""Estimate the largest eigenvalue of a symmetric matrix in absolute value, by power iteration.

    The estimate comes from below:

    .. math:: x_{i+1} = H \frac{x_i}{|x_i|}, \quad |\lambda|_{max} \approx |x_{i+1}|

    >>> matrix = torch.diag(torch.tensor([-8.0, 3.0, 1.0]))
    >>> round(largest_eigenvalue(lambda x: matrix @ x, torch.zeros(3), steps=50), 3)
    8.0

    Args:
        product: A function that multiplies a vector of shape (P,) by the matrix.
        like: A vector of the shape, type and device wanted.
        steps: Number of products. Defaults to 10.
        generator: Generator of the random start, on the CPU. Defaults to None: torch's global one.

    Returns:
        The estimate, not negative. The iteration ends early where it is zero or not finite.
    """
    x = torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like)
    value = 0.0
    for _ in range(steps):
        x = product(x / x.norm())
        value = float(x.norm())
        # also ends where the value is not a number
        if not value > 0 or value == float('inf'):
            break
    return value
