"""What a solver takes and returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from mmal.influence.curvature import Curvature

Progress = Callable[[Iterable, int, str], Iterable]
"""Wraps an iterable of known length with a title, to show how far it is."""


@dataclass
class Solution:
    """What a solver returns.

    Attributes:
        x: The solution, shape (P,).
        report: Plain numbers for the log and for JSON. Every solver gives ``solver``, ``curvature``, ``iterations``,
            ``evaluations`` (per-sample curvature products), ``effective_damping`` (lambda, in units of the curvature),
            ``restarts``, ``seconds`` and ``trace`` (a list of numbers; what they are, the solver says).
    """

    x: Tensor
    report: dict[str, Any] = field(default_factory=dict)


class Solver(Protocol):
    """A solver.

    Attributes:
        curvature: 'hessian' or 'ggn': the matrix it is meant for.
        batch_size: Samples to a mini-batch of the curvature, or None where it does not matter.
        samples_needed: Samples beyond which it gains nothing, or None; with 0, it works without a curvature.
    """

    curvature: str
    batch_size: int | None
    samples_needed: int | None

    def solve(
        self,
        v: Tensor,
        curvature: Curvature,
        seed: int = 0,
        log: Callable[[str], None] = print,
        progress: Progress | None = None,
    ) -> Solution:
        """Estimate (H + lambda I)^-1 v.

        Args:
            v: Reference gradient, shape (P,).
            curvature: H.
            seed: Of random choices.
            log: Called with a line of text where something worth knowing happens.
            progress: Shows how far it is. Defaults to None: silence.

        Raises:
            FloatingPointError: If v is not finite, or no finite solution is found.
        """


def no_progress(iterable: Iterable, total: int, title: str) -> Iterable:
    """No progress."""
    return iterable


def cosine(a: Tensor, b: Tensor) -> float:
    """Cosine of two vectors; 0 if one of them is zero."""
    norms = float(a.norm() * b.norm())
    return float(a @ b) / norms if norms else 0.0


def check_curvature_kind(solver: Solver) -> None:
    """ValueError if a solver asks for a curvature that there is not."""
    if solver.curvature not in ('ggn', 'hessian'):
        raise ValueError(
            f"{type(solver).__name__}: expected curvature 'ggn' or 'hessian', got {solver.curvature!r}."
        )


def require_finite(v: Tensor) -> None:
    """FloatingPointError if the reference gradient is not finite."""
    if not bool(v.isfinite().all()):
        raise FloatingPointError(
            'The reference gradient is not finite: a reference sample has a non-finite loss. Look for NaN in the '
            'training log, lower optim_wrapper.optimizer.lr, or check the reference annotations.'
        )


class CostMeter:
    """Counts what a solve costs, for the common part of the report."""

    def __init__(self, curvature: Curvature | None) -> None:
        self._curvature, self._start = curvature, time.perf_counter()
        self._before = curvature.evaluations if curvature else 0

    def report(self, solver, **more) -> dict[str, Any]:
        curvature = self._curvature
        return dict(
            solver=type(solver).__name__,
            curvature=curvature and curvature.kind,
            evaluations=curvature.evaluations - self._before if curvature else 0,
            seconds=time.perf_counter() - self._start,
            **more,
        )
