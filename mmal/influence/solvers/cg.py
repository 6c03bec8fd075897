"""Conjugate gradients, the default solver."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..curvature import Curvature
from .base import CostMeter, Progress, Solution, check_curvature_kind, no_progress, require_finite
from .power_iteration import largest_eigenvalue

RESIDUAL_EVERY = 25
"""Iterations after which the residual is computed instead of updated."""

SMALLEST_DAMPING = 1e-6
"""Damping that is doubled where it was zero."""


class _NegativeCurvature(Exception):
    """The damped matrix is not positive definite."""


class CG:
    r"""Conjugate gradients on :math:`(H + \lambda I) x = v`, deterministic, with a true residual.

    The matrix must be positive definite: the Gauss-Newton matrix with any damping, or a Hessian
    with more damping than its most negative eigenvalue. Where the solver meets negative curvature,
    it starts again with the damping doubled, and logs that.

    >>> from mmal.influence import DoubleBackward
    >>> model, x = torch.nn.Linear(2, 1, bias=False), torch.eye(2)
    >>> losses = lambda batch: model(batch)[:, 0].square()  # their mean Hessian is the identity
    >>> curvature = DoubleBackward(losses, [x], dict(model.named_parameters()))
    >>> solution = CG(damping=1.0).solve(torch.tensor([1.0, 2.0]), curvature)
    >>> solution.x, solution.report['converged']
    (tensor([0.5000, 1.0000]), True)

    Args:
        damping: lambda, in units of the curvature. Defaults to None: ``relative_damping`` times the
            largest eigenvalue (by power iteration).
        relative_damping: Share of the largest eigenvalue that becomes lambda if ``damping`` is
            None. Defaults to 0.01.
        tol: Relative residual ``|v - (H + lambda I) x| / |v|`` at which the solver stops. Defaults
            to 1e-3.
        max_iter: Largest number of iterations. Defaults to 100.
        curvature: 'ggn' or 'hessian'. Defaults to 'ggn'.
        max_restarts: Number of times that the damping is doubled before the solver gives up.
            Defaults to 20.

    Attributes:
        batch_size: None: mini-batches of any size.
        samples_needed: None: the more samples, the better.

    Raises:
        ValueError: If a setting is out of range.
    """

    batch_size: int | None = None
    samples_needed: int | None = None

    def __init__(
        self,
        damping: float | None = None,
        relative_damping: float = 0.01,
        tol: float = 1e-3,
        max_iter: int = 100,
        curvature: str = 'ggn',
        max_restarts: int = 20,
    ) -> None:
        if (damping is not None and damping < 0) or relative_damping <= 0:
            raise ValueError(
                'CG: expected damping >= 0 and relative_damping > 0, got '
                f'{damping}, {relative_damping}.'
            )
        if not 0 < tol < 1 or max_iter < 1:
            raise ValueError(f'CG: expected 0 < tol < 1 and max_iter >= 1, got {tol}, {max_iter}.')
        self.damping = damping
        self.relative_damping = relative_damping
        self.tol = tol
        self.max_iter = max_iter
        self.curvature = curvature
        self.max_restarts = max_restarts
        check_curvature_kind(self)

    def solve(
        self,
        v: Tensor,
        curvature: Curvature,
        seed: int = 0,
        log: Callable[[str], None] = print,
        progress: Progress | None = None,
    ) -> Solution:
        """Solve iteratively; the trace is the relative residual after each iteration.

        Args:
            v: Mean gradient of the reference losses, shape (P,).
            curvature: The mean curvature H.
            seed: Seed of the power iteration's random start. Defaults to 0.
            log: Receives one line per restart, and one if the solver stopped short of ``tol``.
                Defaults to print.
            progress: Shows the iterations. Defaults to None: silence.

        Returns:
            The solution. Its report also has ``residual`` (the true relative one, computed anew),
            ``converged`` and ``largest_eigenvalue`` (None if the damping was given).

        Raises:
            FloatingPointError: If v or a product is not finite, or the matrix stays indefinite.
        """
        require_finite(v)
        meter = CostMeter(curvature)
        largest: float | None = None
        damping = self.damping
        if damping is None:
            generator = torch.Generator().manual_seed(seed)
            largest = largest_eigenvalue(curvature.product, v, generator=generator)
            damping = self.relative_damping * largest or 1.0

        restarts = 0
        while True:
            try:
                x, trace = self._run(v, curvature, damping, progress or no_progress)
                break
            except _NegativeCurvature as reason:
                restarts += 1
                damping = self._doubled_damping(damping, restarts, reason, log)

        residual_vector = v - curvature.product(x) - damping * x
        residual = float(residual_vector.norm() / v.norm().clamp(min=1e-30))
        converged = residual <= self.tol
        if residual > self.tol:
            log(
                f'CG stopped after {len(trace)} iterations at a relative residual of '
                f'{residual:.2g}, above solver.tol = {self.tol:g}. Raise solver.max_iter or '
                'solver.damping.'
            )
        report = meter.report(
            self,
            iterations=len(trace),
            effective_damping=damping,
            restarts=restarts,
            trace=trace,
            residual=residual,
            converged=converged,
            largest_eigenvalue=largest,
        )
        return Solution(x, report)

    def _doubled_damping(
        self,
        damping: float,
        restarts: int,
        reason: _NegativeCurvature,
        log: Callable[[str], None],
    ) -> float:
        """Twice the damping, or a FloatingPointError after too many restarts."""
        if restarts > self.max_restarts:
            raise FloatingPointError(
                f'CG: the curvature stays indefinite with damping {damping:g} ({reason}). '
                "Use solver.curvature='ggn', or give solver.damping."
            ) from None
        doubled = 2 * (damping or SMALLEST_DAMPING)
        log(f'CG: {reason}; starting again with damping {damping:g} -> {doubled:g}.')
        return doubled

    def _run(
        self, v: Tensor, curvature: Curvature, damping: float, progress: Progress
    ) -> tuple[Tensor, list[float]]:
        """One run with a given damping: x, and the relative residual after each iteration."""
        x = torch.zeros_like(v)
        r = v.clone()
        p = v.clone()
        trace: list[float] = []
        r_squared = float(r @ r)
        v_norm = float(v.norm())
        if r_squared == 0:
            return x, trace

        for _ in progress(range(self.max_iter), self.max_iter, 'CG (at most)'):
            product = curvature.product(p) + damping * p
            step = r_squared / _checked_curvature(p, product)
            x += step * p
            # every so often the residual is computed, not updated: float32 drifts
            if (len(trace) + 1) % RESIDUAL_EVERY:
                r = r - step * product
            else:
                r = v - curvature.product(x) - damping * x
            previous = r_squared
            r_squared = float(r @ r)
            trace.append(r_squared**0.5 / v_norm)
            if trace[-1] <= 0.9 * self.tol:
                break
            p = r + (r_squared / previous) * p
        return x, trace


def _checked_curvature(p: Tensor, product: Tensor) -> float:
    """Return p . A p of a search direction p; raise if it is not finite or not positive."""
    curved = float(p @ product)
    if math.isnan(curved):
        raise FloatingPointError(
            'CG: a curvature product is not finite. Look for labeled samples with a '
            'non-finite loss.'
        )
    if curved <= 0:
        raise _NegativeCurvature(
            f'negative curvature {curved / float(p @ p):.3g} along a search direction'
        )
    return curved
