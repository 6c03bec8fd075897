"""Solvers for s_test = (H + lambda I)^-1 v."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


def cosine(a: Tensor, b: Tensor) -> float:
    """Cosine of two vectors; 0 if one of them is zero."""
    norms = float(a.norm() * b.norm())
    return float(a @ b) / norms if norms else 0.0


@dataclass
class Solution:
    """What a solver returns.

    Attributes:
        x: The solution, shape (P,).
        report: Plain numbers for the log and for JSON: settings used, restarts, trace, seconds.
    """
    x: Tensor
    report: dict[str, Any] = field(default_factory=dict)


class _Explosion(Exception):
    """The recursion left the bound it can never leave while every step is a contraction."""


class LiSSA:
    r"""Stochastic estimation of :math:`(H + \lambda I)^{-1} v`, Algorithm 3 of the paper with damping and scale.

    .. math:: h_0 = v, \quad h_i = v + (1 - \text{damping}) h_{i-1} - H_i h_{i-1} / \text{scale}

    :math:`H_i` is the mean Hessian of one random mini-batch. The mean of the last h of ``repeats`` runs, *divided by
    scale*, is returned. Its fixed point is :math:`(H + \text{damping} \cdot \text{scale} \cdot I)^{-1} v`, so the
    damping in units of H is the product of the two; the report states it. damping=0, scale=1 is the paper's text.

    While every step is a contraction, :math:`|h_i| \le (i + 1) |v|`. Beyond that bound the recursion explodes, mostly
    without reaching a NaN: the run is restarted with a doubled scale.

    Args:
        damping: Share of h forgotten each step; 0 to below 1. Defaults to 0.01.
        scale: Must exceed the largest eigenvalue of a single mini-batch's Hessian. Defaults to 10.
        depth: Steps of one run (k in the paper). Defaults to 1000.
        batch_size: Images in the Hessian of one step. Defaults to 1.
        repeats: Runs that are averaged (p in the paper). Defaults to 4.
        max_restarts: Doublings of scale before giving up. Defaults to 20.

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(self, damping: float = 0.01, scale: float = 10.0, depth: int = 1000, batch_size: int = 1,
                 repeats: int = 4, max_restarts: int = 20) -> None:
        if not 0 <= damping < 1:
            raise ValueError(f'LiSSA: expected 0 <= damping < 1, got {damping}.')
        if not (scale > 0 and math.isfinite(scale)):
            raise ValueError(f'LiSSA: expected a positive scale, got {scale}.')
        if min(depth, batch_size, repeats) < 1:
            raise ValueError('LiSSA: depth, batch_size and repeats must be at least 1, '
                             f'got {depth}, {batch_size}, {repeats}.')
        self.damping, self.scale, self.depth = damping, scale, depth
        self.batch_size, self.repeats, self.max_restarts = batch_size, repeats, max_restarts

    def solve(self, v: Tensor, hvp: Callable[[Any, Tensor], Tensor], batches: Callable[[int], Iterable],
              log: Callable[[str], None] = print) -> Solution:
        """Estimate s_test.

        Args:
            v: Reference gradient, shape (P,).
            hvp: Mean-Hessian product of a mini-batch with a vector of shape (P,).
            batches: ``batches(repeat)`` yields at least ``depth`` mini-batches, the same for the same argument.
            log: Called with a line of text at every restart.

        Returns:
            The estimate, and a report with ``scale`` (as used), ``damping``, ``effective_damping``
            (damping * scale, in units of H), ``restarts``, ``steps`` (Hessian products made), ``seconds`` and ``trace``
            (|h| / scale after each step, a list for every repeat).

        Raises:
            FloatingPointError: If v is not finite, or no scale within ``max_restarts`` doublings gives a finite result.
        """
        if not bool(v.isfinite().all()):
            raise FloatingPointError(
                'The reference gradient is not finite: a reference image has a non-finite loss. Look for NaN in the '
                'training log, lower optim_wrapper.optimizer.lr, or check the reference annotations.')
        start, scale, restarts, steps = time.perf_counter(), self.scale, 0, 0
        while True:
            total, trace = v.new_zeros(v.shape), []
            try:
                for repeat in range(self.repeats):
                    norms: list[float] = []
                    trace.append(norms)
                    total += self._run(v, hvp, batches(repeat), scale, norms)
                    steps += len(norms)
                break
            except _Explosion as explosion:
                steps += len(trace[-1])
                restarts += 1
                if restarts > self.max_restarts:
                    raise FloatingPointError(
                        f'LiSSA did not stay finite within {self.max_restarts} doublings of scale (now {scale:g}): '
                        f'{explosion}. Raise solver.scale above the largest eigenvalue of a single batch, '
                        'raise solver.damping, or raise solver.batch_size.') from None
                log(f'LiSSA: {explosion}; restarting with scale {scale:g} -> {2 * scale:g}.')
                scale *= 2
        report = dict(solver='LiSSA', damping=self.damping, scale=scale, effective_damping=self.damping * scale,
                      depth=self.depth, batch_size=self.batch_size, repeats=self.repeats, restarts=restarts,
                      steps=steps, seconds=time.perf_counter() - start, trace=trace)
        return Solution(total / (self.repeats * scale), report)

    def _run(self, v: Tensor, hvp: Callable, batches: Iterable, scale: float, norms: list[float]) -> Tensor:
        """One run of the recursion; appends |h| / scale of every step to ``norms``."""
        h, v_norm, batches = v.clone(), float(v.norm()), iter(batches)
        for step in range(1, self.depth + 1):
            h = v + (1 - self.damping) * h - hvp(next(batches), h) / scale
            norm = float(h.norm())
            norms.append(norm / scale)
            if not norm <= 1.001 * (step + 1) * v_norm + 1e-30:  # also true for NaN
                raise _Explosion(f'|h| = {norm:.3g} after step {step} exceeds its bound {(step + 1) * v_norm:.3g}')
        return h
