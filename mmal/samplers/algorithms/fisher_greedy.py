"""The greedy choice of Fisher selection, whatever form its curvature has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor

AHEAD = 64
"""Number of choices that are made among the best candidates alone before all are looked at."""

ACTIVE = 2048
"""Number of the best candidates that they are made among."""

TIE = 1e-6
"""Relative difference of two gains up to which float32 does not tell which is larger."""

U = TypeVar('U')
"""What taking a point changes."""


class Posterior(Protocol[U]):
    """What is known of the parameters."""

    def copy(self) -> Posterior[U]:
        """Return a posterior that changes by itself."""

    def take(self, point: Tensor, weights: Tensor) -> list[U]:
        """Add a labeled point.

        Args:
            point: Row of :attr:`Candidates.points`.
            weights: Row of :attr:`Candidates.weights`.

        Returns:
            What changes.
        """

    def apply(self, update: U) -> None:
        """Change the posterior as a copy of it was changed.

        Args:
            update: The change.
        """


class Candidates(Protocol[U]):
    """Candidates with their gains.

    Attributes:
        points: Shape (N, P).
        weights: What else makes their curvature, N rows.
    """

    points: Tensor
    weights: Tensor

    def subset(self, rows: Tensor) -> Candidates[U]:
        """Return some of the candidates, which change by themselves.

        Args:
            rows: Their rows.
        """

    def gains(self) -> Tensor:
        """Compute the gain of every candidate, float64 of shape (N,), at least 0."""

    def products(self, updates: Sequence[U]) -> Iterable[Tensor]:
        """Multiply all candidates by the directions of updates.

        Args:
            updates: J updates.

        Returns:
            What :meth:`apply` needs of each update.
        """

    def apply(self, update: U, products: Tensor) -> None:
        """Change the candidates as the posterior changed.

        Args:
            update: The change.
            products: What :meth:`products` gave for it.
        """


def fisher_greedy(
    posterior: Posterior[U], candidates: Candidates[U], k: int, allowed: Tensor
) -> tuple[list[int], Tensor]:
    """Choose k candidates, each the one of the largest gain given those before it.

    Of several candidates with the same largest gain, that of the lowest row is taken; gains of
    copies may differ by rounding. Where there are
    many candidates, some choices are made among the best of them alone. Then all are looked at, and
    the choices stand as far as no other candidate had a larger gain: the result is that of looking
    at all of them each time.

    Args:
        posterior: What is known of the parameters. It is changed.
        candidates: The candidates. They are changed.
        k: Number of candidates to choose; all allowed ones if there are fewer.
        allowed: Whether a candidate may be chosen, shape (N,).

    Returns:
        The chosen rows in order; and a gain for every candidate, shape (N,): that of a chosen one
        when it was chosen, that of the others after the last.
    """
    left = allowed.clone()
    chosen: list[int] = []
    taken_gains: list[float] = []
    k = min(k, int(allowed.sum()))
    while len(chosen) < k:
        n_ahead = min(AHEAD, k - len(chosen))
        proposed = _propose(posterior.copy(), candidates, n_ahead, left)
        rows, gains = _confirm(posterior, candidates, proposed, left)
        chosen += rows
        taken_gains += gains
    result = candidates.gains()
    result[chosen] = result.new_tensor(taken_gains)
    return chosen, result


def _propose(
    posterior: Posterior[U], candidates: Candidates[U], k: int, left: Tensor
) -> list[tuple[int, list[U]]]:
    """Choose k of the best candidates as if there were no others; rows with their updates."""
    order = candidates.gains().masked_fill(~left, -1.0).argsort(descending=True, stable=True)
    active = order[: min(ACTIVE, int(left.sum()))].sort().values
    few = candidates.subset(active)
    few_left = torch.ones(len(active), dtype=torch.bool, device=left.device)
    proposed = []
    for _ in range(min(k, len(active))):
        place = int(few.gains().masked_fill(~few_left, -1.0).argmax())
        few_left[place] = False
        updates = posterior.take(few.points[place], few.weights[place])
        for update, products in zip(updates, few.products(updates), strict=True):
            few.apply(update, products)
        proposed.append((int(active[place]), updates))
    return proposed


def _confirm(
    posterior: Posterior[U],
    candidates: Candidates[U],
    proposed: list[tuple[int, list[U]]],
    left: Tensor,
) -> tuple[list[int], list[float]]:
    """Take the proposed rows one after the other, up to the first that another candidate beats,
    which is taken in its place.
    """
    all_updates = [update for _, updates in proposed for update in updates]
    products = iter(candidates.products(all_updates))
    rows: list[int] = []
    gains: list[float] = []
    for row, updates in proposed:
        all_gains = candidates.gains().masked_fill(~left, -1.0)
        best = int(all_gains.argmax())
        is_beaten = float(all_gains[best]) > float(all_gains[row]) * (1 + TIE)
        taken = best if is_beaten else row
        rows.append(taken)
        gains.append(float(all_gains[taken]))
        left[taken] = False
        if is_beaten:
            own = posterior.take(candidates.points[taken], candidates.weights[taken])
            for update, product in zip(own, candidates.products(own), strict=True):
                candidates.apply(update, product)
            break
        for update in updates:
            posterior.apply(update)
            candidates.apply(update, next(products))
    return rows, gains
