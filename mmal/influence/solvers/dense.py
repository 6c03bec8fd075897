from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mmal.influence.curvature import Curvature

from .base import CostMeter, Progress, Solution, check_curvature_kind, no_progress, require_finite


class Dense:
    """The matrix itself, a product a column, and a direct solve in float64: small problems, and a check of others.

    Args:
        damping: lambda, in units of the curvature. Defaults to 0.01.
        curvature: 'hessian' or 'ggn'. Defaults to 'hessian'.
        max_size: Parameters beyond which it refuses. Defaults to 5000.

    Raises:
        ValueError: If a setting is out of range.
    """

    batch_size = samples_needed = None

    def __init__(
        self, damping: float = 0.01, curvature: str = 'hessian', max_size: int = 5000
    ) -> None:
        if damping < 0:
            raise ValueError(f'Dense: expected damping >= 0, got {damping}.')
        self.damping, self.curvature, self.max_size = damping, curvature, max_size
        check_curvature_kind(self)

    def matrix(self, v: Tensor, curvature: Curvature, progress: Progress | None = None) -> Tensor:
        """The P x P curvature, float64, made symmetric."""
        if v.numel() > self.max_size:
            raise ValueError(
                f'Dense: {v.numel()} parameters are more than max_size = {self.max_size}; the matrix '
                f'would take {v.numel() ** 2 * 8 / 2**30:.1f} GiB. Use CG.'
            )
        columns = []
        for i in (progress or no_progress)(range(v.numel()), v.numel(), 'dense curvature'):
            unit = torch.zeros_like(v)
            unit[i] = 1
            columns.append(curvature.product(unit).double())
        matrix = torch.stack(columns, 1)
        return (matrix + matrix.T) / 2

    def solve(
        self,
        v: Tensor,
        curvature: Curvature,
        seed: int = 0,
        log: Callable[[str], None] = print,
        progress: Progress | None = None,
    ) -> Solution:
        """Solve exactly; the trace is the smallest and the largest eigenvalue.

        Raises:
            FloatingPointError: If v is not finite or the damped matrix is singular.
            ValueError: If there are more than ``max_size`` parameters.
        """
        require_finite(v)
        account = CostMeter(curvature)
        matrix = self.matrix(v, curvature, progress)
        values, vectors = torch.linalg.eigh(matrix)
        damped = values + self.damping
        if float(damped.abs().min()) <= 1e-12 * float(damped.abs().max()):
            raise FloatingPointError(
                'Dense: the damped curvature is singular. Raise solver.damping above '
                f'{self.damping:g}.'
            )
        x = (vectors @ ((vectors.T @ v.double()) / damped)).to(v)
        return Solution(
            x,
            account.report(
                self,
                iterations=v.numel(),
                effective_damping=self.damping,
                restarts=0,
                trace=[float(values[0]), float(values[-1])],
            ),
        )
