"""What a solver takes and returns, and what solvers share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from torch import Tensor

from ..curvature import Curvature

T = TypeVar('T')

Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Wraps an iterable of known length with a title, to show how far it is."""


@dataclass
class Solution:
    """What a solver returns.

    Attributes:
        x: The solution s_test, shape (P,).
        report: Plain numbers for the log and for JSON. Every solver reports ``solver`` (its class
            name), ``curvature`` ('hessian', 'ggn', or None without one), ``iterations``,
            ``evaluations`` (number of per-sample curvature products), ``effective_damping``
            (lambda, in units of the curvature), ``restarts``, ``seconds`` and ``trace`` (a list of
            numbers; each solver documents which). A solver may add keys of its own.
    """

    x: Tensor
    report: dict[str, Any] = field(default_factory=dict)


class Solver(Protocol):
    r"""A solver estimates :math:`s_{test} = (H + \lambda I)^{-1} v`.

    Attributes:
        curvature: 'hessian' or 'ggn': the matrix that the solver is meant for.
        batch_size: Number of samples in a mini-batch of the curvature, or None where it does not
            matter.
        samples_needed: Number of samples beyond which the solver gains nothing, or None if there is
            no such number. With 0 it works without a curvature, and is given None instead of one.
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
            v: Mean gradient of the reference losses, shape (P,).
            curvature: The mean curvature H.
            seed: Seed of the random choices. Defaults to 0.
            log: Receives one line of text per event worth knowing. Defaults to print.
            progress: Shows how far the solver is. Defaults to None: silence.

        Returns:
            The estimate and its report.

        Raises:
            FloatingPointError: If v is not finite, or no finite solution is found.
        """


def no_progress(iterable: Iterable[T], total: int, title: str) -> Iterable[T]:
    """Show no progress.

    Args:
        iterable: What is iterated over.
        total: Its length.
        title: What is being done.

    Returns:
        The iterable itself.
    """
    return iterable


def cosine(a: Tensor, b: Tensor) -> float:
    r"""Compute the cosine :math:`a \cdot b / (|a| |b|)` of two vectors.

    >>> import torch
    >>> cosine(torch.tensor([1.0, 0.0]), torch.tensor([-2.0, 0.0]))
    -1.0

    Args:
        a: A vector of shape (P,).
        b: A vector of shape (P,).

    Returns:
        The cosine, or 0 if one of the vectors is zero.
    """
    norms = float(a.norm() * b.norm())
    if norms == 0:
        return 0.0
    return float(a @ b) / norms


def check_curvature_kind(solver: Solver) -> None:
    """Refuse a solver that asks for a curvature that does not exist.

    Args:
        solver: The solver.

    Raises:
        ValueError: If ``solver.curvature`` is neither 'ggn' nor 'hessian'.
    """
    if solver.curvature not in ('ggn', 'hessian'):
        raise ValueError(
            f"{type(solver).__name__}: expected curvature 'ggn' or 'hessian', "
            f'got {solver.curvature!r}.'
        )


def require_finite(v: Tensor) -> None:
    """Refuse a reference gradient that is not finite.

    Args:
        v: Mean gradient of the reference losses, shape (P,).

    Raises:
        FloatingPointError: If a value of v is not finite.
    """
    if not bool(v.isfinite().all()):
        raise FloatingPointError(
            'The reference gradient is not finite: a reference sample has a non-finite loss. Look '
            'for NaN in the training log, lower optim_wrapper.optimizer.lr, or check the '
            'reference annotations.'
        )


class CostMeter:
    """Measures what a solve costs, for the common part of the report.

    Args:
        curvature: The curvature whose products are counted from now on, or None if the solver needs
            none.
    """

    def __init__(self, curvature: Curvature | None) -> None:
        self._curvature = curvature
        self._start = time.perf_counter()
        self._evaluations_before = 0
        if curvature is not None:
            self._evaluations_before = curvature.evaluations

    def report(self, solver: Solver, **more: Any) -> dict[str, Any]:
        """Build the report of a solve.

        Args:
            solver: The solver.
            **more: The solver's own entries: ``iterations``, ``effective_damping``, ``restarts``,
                ``trace`` and whatever else it reports.

        Returns:
            ``solver``, ``curvature``, ``evaluations`` and ``seconds``, followed by the solver's own
            entries.
        """
        kind: str | None = None
        evaluations = 0
        if self._curvature is not None:
            kind = self._curvature.kind
            evaluations = self._curvature.evaluations - self._evaluations_before
        return dict(
            solver=type(solver).__name__,
            curvature=kind,
            evaluations=evaluations,
            seconds=time.perf_counter() - self._start,
            **more,
        )
