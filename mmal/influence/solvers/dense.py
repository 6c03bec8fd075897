"""A direct solve with the whole matrix, for small problems."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..curvature import Curvature
from .base import CostMeter, Progress, Solution, check_curvature_kind, no_progress, require_finite


class Dense:
    r"""The matrix itself, one product per column, and a direct solve in float64.

    It solves :math:`(H + \lambda I) x = v` by the eigenvalues of H: for small problems, and as a
    check of others.

    >>> from mmal.influence import DoubleBackward
    >>> model, x = torch.nn.Linear(2, 1, bias=False), torch.eye(2)
    >>> losses = lambda batch: model(batch)[:, 0].square()  # their mean Hessian is the identity
    >>> curvature = DoubleBackward(losses, [x], dict(model.named_parameters()))
    >>> Dense(damping=1.0).solve(torch.tensor([1.0, 2.0]), curvature).x
    tensor([0.5000, 1.0000])

    Args:
        damping: lambda, in units of the curvature. Defaults to 0.01.
        curvature: 'hessian' or 'ggn'. Defaults to 'hessian'.
        max_size: Number of parameters beyond which the solver refuses. Defaults to 5000.

    Attributes:
        batch_size: None: mini-batches of any size.
        samples_needed: None: the more samples, the better.

    Raises:
        ValueError: If a setting is out of range.
    """

    batch_size: int | None = None
    samples_needed: int | None = None

    def __init__(
        self, damping: float = 0.01, curvature: str = 'hessian', max_size: int = 5000
    ) -> None:
        if damping < 0:
            raise ValueError(f'Dense: expected damping >= 0, got {damping}.')
        self.damping = damping
        self.curvature = curvature
        self.max_size = max_size
        check_curvature_kind(self)

    def matrix(self, v: Tensor, curvature: Curvature, progress: Progress | None = None) -> Tensor:
        """Build the mean curvature as a matrix, made symmetric.

        Args:
            v: A vector of shape (P,), whose type and device the products take.
            curvature: The mean curvature H.
            progress: Shows how many columns are done. Defaults to None: silence.

        Returns:
            H in float64, shape (P, P).

        Raises:
            ValueError: If there are more than ``max_size`` parameters.
        """
        size = v.numel()
        if size > self.max_size:
            raise ValueError(
                f'Dense: {size} parameters are more than max_size = {self.max_size}; the matrix '
                f'would take {size**2 * 8 / 2**30:.1f} GiB. Use CG.'
            )
        show = progress or no_progress
        columns: list[Tensor] = []
        for i in show(range(size), size, 'dense curvature'):
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

        Args:
            v: Mean gradient of the reference losses, shape (P,).
            curvature: The mean curvature H.
            seed: Not used: nothing is random here. Defaults to 0.
            log: Not used. Defaults to print.
            progress: Shows how many columns are done. Defaults to None: silence.

        Returns:
            The solution and its report.

        Raises:
            FloatingPointError: If v is not finite or the damped matrix is singular.
            ValueError: If there are more than ``max_size`` parameters.
        """
        require_finite(v)
        meter = CostMeter(curvature)
        matrix = self.matrix(v, curvature, progress)
        eigenvalues, eigenvectors = torch.linalg.eigh(matrix)
        damped = eigenvalues + self.damping
        if float(damped.abs().min()) <= 1e-12 * float(damped.abs().max()):
            raise FloatingPointError(
                'Dense: the damped curvature is singular. Raise solver.damping above '
                f'{self.damping:g}.'
            )
        coordinates = (eigenvectors.T @ v.double()) / damped
        x = (eigenvectors @ coordinates).to(v)
        report = meter.report(
            self,
            iterations=v.numel(),
            effective_damping=self.damping,
            restarts=0,
            trace=[float(eigenvalues[0]), float(eigenvalues[-1])],
        )
        return Solution(x, report)
