"""No solver at all: the row "without H" of the paper's Table 2."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ..curvature import Curvature
from .base import CostMeter, Progress, Solution, require_finite


class Identity:
    """s_test = v: influence becomes gradient similarity, row "without H" of the paper's Table 2.

    >>> import torch
    >>> Identity().solve(torch.tensor([1.0, 2.0])).x
    tensor([1., 2.])

    Attributes:
        curvature: 'hessian', without a meaning here.
        batch_size: None: mini-batches do not matter.
        samples_needed: 0: no curvature is needed.
    """

    curvature: str = 'hessian'
    batch_size: int | None = None
    samples_needed: int | None = 0

    def solve(
        self,
        v: Tensor,
        curvature: Curvature | None = None,
        seed: int = 0,
        log: Callable[[str], None] = print,
        progress: Progress | None = None,
    ) -> Solution:
        """Return v itself; the curvature is not used.

        Args:
            v: Mean gradient of the reference losses, shape (P,).
            curvature: Not used. Defaults to None.
            seed: Not used. Defaults to 0.
            log: Not used. Defaults to print.
            progress: Not used. Defaults to None.

        Returns:
            A copy of v; the report's trace is empty and ``effective_damping`` None.

        Raises:
            FloatingPointError: If v is not finite.
        """
        require_finite(v)
        meter = CostMeter(curvature)
        report = meter.report(self, iterations=0, effective_damping=None, restarts=0, trace=[])
        return Solution(v.clone(), report)
