from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from mmal.influence.curvature import Curvature

from .base import CostMeter, Progress, Solution, require_finite


class Identity:
    """s_test = v: influence becomes gradient similarity, row "without H" of the paper's Table 2."""

    curvature, batch_size, samples_needed = 'hessian', None, 0

    def solve(
        self,
        v: Tensor,
        curvature: Curvature | None = None,
        seed: int = 0,
        log: Callable[[str], None] = print,
        progress: Progress | None = None,
    ) -> Solution:
        """V itself; the curvature is not asked."""
        require_finite(v)
        return Solution(
            v.clone(),
            CostMeter(curvature).report(
                self, iterations=0, effective_damping=None, restarts=0, trace=[]
            ),
        )
