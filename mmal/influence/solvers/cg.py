from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mmal.influence.curvature import Curvature

from .base import CostMeter, Progress, Solution, check_curvature_kind, no_progress, require_finite
from .power_iteration import largest_eigenvalue


class _NegativeCurvature(Exception):
    """The damped matrix is not positive definite."""


class CG:
    r"""Conjugate gradients on :math:`(H + \lambda I) x = v`, deterministic, with a true residual.

    It needs a positive definite matrix: the Gauss-Newton matrix with any damping, or a Hessian with more damping than
    its most negative eigenvalue. Where it meets negative curvature it starts again with the damping doubled, and says
    so.

    Args:
        damping: lambda, in units of the curvature. Defaults to None: ``relative_damping`` times the largest eigenvalue
            (by power iteration).
        relative_damping: See there. Defaults to 0.01.
        tol: Stop at ``|v - (H + lambda I) x| <= tol |v|``. Defaults to 1e-3.
        max_iter: Most iterations. Defaults to 100.
        curvature: 'ggn' or 'hessian'. Defaults to 'ggn'.
        max_restarts: Doublings of the damping before giving up. Defaults to 20.

    Raises:
        ValueError: If a setting is out of range.
    """

    batch_size = samples_needed = None

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
                f'CG: expected damping >= 0 and relative_damping > 0, got {damping}, {relative_damping}.'
            )
        if not 0 < tol < 1 or max_iter < 1:
            raise ValueError(f'CG: expected 0 < tol < 1 and max_iter >= 1, got {tol}, {max_iter}.')
        self.damping, self.relative_damping, self.tol = damping, relative_damping, tol
        self.max_iter, self.curvature, self.max_restarts = max_iter, curvature, max_restarts
        check_curvature_kind(self)

    def solve(
        self,
        v: Tensor,
        curvature: Curvature,
        seed: int = 0,
        log: Callable[[str], None] = print,
        progress: Progress | None = None,
    ) -> Solution:
        """Solve; the trace is the relative residual after each iteration.

        Returns:
            The solution; its report also has ``residual`` (the true one, computed anew), ``converged`` and
            ``largest_eigenvalue`` (None if the damping was given).

        Raises:
            FloatingPointError: If v or a product is not finite, or the matrix stays indefinite.
        """
        require_finite(v)
        account, top, damping, restarts = CostMeter(curvature), None, self.damping, 0
        if damping is None:
            top = largest_eigenvalue(
                curvature.product, v, generator=torch.Generator().manual_seed(seed)
            )
            damping = self.relative_damping * top or 1.0
        while True:
            try:
                x, trace = self._run(v, curvature, damping, progress or no_progress)
                break
            except _NegativeCurvature as found:
                restarts += 1
                if restarts > self.max_restarts:
                    raise FloatingPointError(
                        f'CG: the curvature stays indefinite with damping {damping:g} ({found}). '
                        "Use solver.curvature='ggn', or give solver.damping."
                    ) from None
                log(
                    f'CG: {found}; starting again with damping {damping:g} -> {2 * (damping or 1e-6):g}.'
                )
                damping = 2 * (damping or 1e-6)
        residual = float(
            (v - curvature.product(x) - damping * x).norm() / v.norm().clamp(min=1e-30)
        )
        if residual > self.tol:
            log(
                f'CG stopped after {len(trace)} iterations at a relative residual of {residual:.2g}, above solver.tol '
                f'= {self.tol:g}. Raise solver.max_iter or solver.damping.'
            )
        return Solution(
            x,
            account.report(
                self,
                iterations=len(trace),
                effective_damping=damping,
                restarts=restarts,
                trace=trace,
                residual=residual,
                converged=residual <= self.tol,
                largest_eigenvalue=top,
            ),
        )

    def _run(
        self, v: Tensor, curvature: Curvature, damping: float, progress: Progress
    ) -> tuple[Tensor, list[float]]:
        x, r, p, trace = torch.zeros_like(v), v.clone(), v.clone(), []
        rr, size = float(r @ r), float(v.norm())
        if rr == 0:
            return x, trace
        for _ in progress(range(self.max_iter), self.max_iter, 'CG (at most)'):
            ap = curvature.product(p) + damping * p
            curved = float(p @ ap)
            if curved != curved:
                raise FloatingPointError(
                    'CG: a curvature product is not finite. Look for labeled samples with a '
                    'non-finite loss.'
                )
            if curved <= 0:
                raise _NegativeCurvature(
                    f'negative curvature {curved / float(p @ p):.3g} along a search direction'
                )
            step = rr / curved
            x += step * p
            # every so often the residual is computed, not updated: float32 drifts
            r = r - step * ap if (len(trace) + 1) % 25 else v - curvature.product(x) - damping * x
            rr, before = float(r @ r), rr
            trace.append(rr**0.5 / size)
            if trace[-1] <= 0.9 * self.tol:
                break
            p = r + (rr / before) * p
        return x, trace
