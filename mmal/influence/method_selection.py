"""Take the fastest method whose directional derivative agrees with plain autograd.

A fast method may be wrong for a model it was not written for: a weight used behind its layer's
back, or a loss that ties samples together. So the methods are tried in order of speed on the first
batch and compared with gradients from plain autograd. A batch whose gradients are all zero, or not
finite, proves nothing, and the next batch is checked too.

On one batch a right method may differ as well: rounding errors may move a prediction across a
threshold. So more batches may be asked before a method is given up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from .affine import NotAffine
from .directional_derivative import agree

AGREEMENTS = 3
"""Informative batches on which a method must agree if it has differed on another."""


@dataclass(frozen=True)
class Reference:
    """Gradients from plain autograd, which a method's derivatives are compared with.

    Attributes:
        gradients: Gradient of a sample's loss, of shape (P,), by the sample's row in the batch.
        informative: Whether agreement with these gradients is proof enough, so that no further
            batch is checked.
    """

    gradients: Mapping[int, Tensor]
    informative: bool


@dataclass(frozen=True)
class Rejection:
    """A method that was tried and not taken.

    Attributes:
        method: Name of the method.
        error: First line of the error that the method raised; None if its values differ from plain
            autograd's.
        values: Derivatives that the method gave; empty if it raised an error.
        expected: Derivatives that plain autograd gives for the rows of the reference.
    """

    method: str
    error: str | None
    values: list[float]
    expected: list[float]


@dataclass(frozen=True)
class Selection:
    """What became of one check.

    Attributes:
        method: Name of the method that is used from now on; None if no method agrees and there is
            no fallback.
        changed: Whether it is another method than before.
        values: Derivatives that the method gave during the check; None for the fallback, which is
            not run.
        rejections: Faster methods that were not taken, in order of speed.
        reason: Why the method was settled without a check; '' otherwise.
    """

    method: str | None
    changed: bool
    values: Tensor | None = None
    rejections: tuple[Rejection, ...] = ()
    reason: str = ''


def is_informative(gradient: Tensor) -> bool:
    """Whether comparing with a gradient shows anything: it is finite, and not zero.

    Args:
        gradient: Gradient of one sample's loss, of any shape.
    """
    return bool(gradient.isfinite().all() and gradient.any())


class MethodSelector:
    """Keeps the method in use, and checks it until a batch has proved it right.

    Call :meth:`select` on each batch until :attr:`settled` is True; from then on use
    :attr:`method`.

    >>> import torch
    >>> selector = MethodSelector(log=lambda selection: None)
    >>> reference = Reference({0: torch.tensor([3.0, 0.0])}, informative=True)
    >>> methods = {'guess': lambda: torch.tensor([5.0]), 'exact': lambda: torch.tensor([6.0])}
    >>> selector.select(methods, reference, direction=torch.tensor([2.0, 1.0])).method
    'exact'
    >>> selector.settled
    True

    Args:
        log: Receives the :class:`Selection` of each check, before an error is raised for it.
        fallback: Name of the method to take if no other agrees. It is trusted: it is not run in a
            check. Defaults to None: it is an error that none agrees.
        errors: Exceptions by which a method shows that it does not apply. Others are raised.
        max_checks: Number of batches to check at most, while they are not informative or a method
            is in doubt. Defaults to None: no limit.
        max_differences: Number of batches on which a method must give other values before it is
            given up. One that has differed on fewer is in doubt until it has agreed on
            :data:`AGREEMENTS` informative batches. Defaults to 1.
        rtol: Largest difference that counts as agreement, relative to |s| |grad l|. Defaults to
            1e-3.

    Attributes:
        method: Name of the method in use; None before the first check.
        settled: Whether no further batch needs to be checked.
    """

    def __init__(
        self,
        log: Callable[[Selection], None],
        fallback: str | None = None,
        errors: tuple[type[Exception], ...] = (NotAffine, NotImplementedError, RuntimeError),
        max_checks: int | None = None,
        max_differences: int = 1,
        rtol: float = 1e-3,
    ) -> None:
        self.method: str | None = None
        self.settled = False
        self._log = log
        self._fallback = fallback
        self._errors = errors
        self._checks_left = max_checks
        self._max_differences = max_differences
        self._differences: Counter[str] = Counter()
        self._agreements: Counter[str] = Counter()
        self._rtol = rtol

    def settle(self, method: str, reason: str = '') -> None:
        """Use a method from now on, without any check.

        Args:
            method: Name of the method.
            reason: Why no other method is tried; for the log.
        """
        selection = Selection(method, method != self.method, reason=reason)
        self.method = method
        self.settled = True
        self._log(selection)

    def select(
        self,
        methods: Mapping[str, Callable[[], Tensor]],
        reference: Reference,
        direction: Tensor,
    ) -> Selection:
        """Take the first method that agrees with the reference on this batch and is not given up.

        Args:
            methods: Methods by name, the fastest first. Each returns the derivatives of the batch's
                samples, of shape (N,), or of its first samples alone; rows of the reference beyond
                these are not compared.
            reference: Plain gradients of some samples of the same batch.
            direction: s, of shape (P,).

        Returns:
            The method taken, its values, and why faster ones were not taken.

        Raises:
            RuntimeError: If no method agrees and there is no fallback.
        """
        taken, values, rejections = self._first_that_agrees(methods, reference, direction)
        name = self._fallback if taken is None else taken
        selection = Selection(name, name != self.method, values, tuple(rejections))
        self._log(selection)
        if name is None:
            raise RuntimeError(
                'No method gives the derivative of plain autograd: is the loss deterministic?'
            )
        self.method = name
        self._count_check(reference.informative)
        return selection

    def _first_that_agrees(
        self,
        methods: Mapping[str, Callable[[], Tensor]],
        reference: Reference,
        direction: Tensor,
    ) -> tuple[str | None, Tensor | None, list[Rejection]]:
        """Name and values of the method taken, or two times None, and the rejected methods."""
        expected = {row: g @ direction for row, g in reference.gradients.items()}
        expected_list = [float(derivative) for derivative in expected.values()]
        rejections = []
        for name, method in methods.items():
            if self._differences.get(name, 0) >= self._max_differences:
                continue
            try:
                values = method()
            except self._errors as error:
                rejections.append(Rejection(name, _first_line(error), [], expected_list))
                continue
            if self._agrees(values, expected, reference, direction):
                self._agreements[name] += int(reference.informative)
                return name, values, rejections
            self._differences[name] += 1
            rejections.append(Rejection(name, None, values.tolist(), expected_list))
        return None, None, rejections

    def _agrees(
        self,
        values: Tensor,
        expected: Mapping[int, Tensor],
        reference: Reference,
        direction: Tensor,
    ) -> bool:
        for row, gradient in reference.gradients.items():
            if row >= len(values):
                continue
            norm = float(gradient.norm())
            if not agree(values[row], expected[row], direction, norm, self._rtol):
                return False
        return True

    def _count_check(self, informative: bool) -> None:
        if self._checks_left is not None:
            self._checks_left -= 1
        in_doubt = self._methods_in_doubt()
        if informative and not in_doubt:
            self.settled = True
        elif self._checks_left == 0:
            self.settled = True
            if self.method in in_doubt and self._fallback is not None:
                self.settle(self._fallback, f'{self.method} stays in doubt')

    def _methods_in_doubt(self) -> list[str]:
        """Methods that have differed on a batch, but not often enough to be given up."""
        in_doubt = []
        for name, differences in self._differences.items():
            given_up = differences >= self._max_differences
            if not given_up and self._agreements[name] < AGREEMENTS:
                in_doubt.append(name)
        return in_doubt


def _first_line(error: Exception) -> str:
    """First line of an error's message; the name of its class if it has none."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
