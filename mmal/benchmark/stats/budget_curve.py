"""The budget curve of one run: metric over annotation cost, the cost at a target, and the area under it.

Higher metrics are better throughout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from scipy.integrate import trapezoid

UNITS = ('images', 'boxes')


def budget_points(
    curve: Iterable[dict], metric: str, unit: str = 'images'
) -> tuple[np.ndarray, np.ndarray]:
    """Cost and metric of every round that has the metric.

    A round without it (mmdet reports none where a model detects nothing) is left out, so a straight line joins its
    neighbours.

    Args:
        curve: Contents of ``curve.json``.
        metric: Name in ``metrics``.
        unit: 'images' or 'boxes'. Defaults to 'images'.

    Returns:
        Costs and values, each of shape (rounds,), in the order of the rounds.
    """
    kept = [p for p in curve if is_number(p['metrics'].get(metric))]
    return np.array([p[unit] for p in kept], float), np.array(
        [p['metrics'][metric] for p in kept], float
    )


def is_number(value) -> bool:
    """Whether a metric was measured: a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def cost_at(costs: Sequence[float], values: Sequence[float], target: float) -> float | None:
    """Cost at which a curve first reaches a target, by a straight line between two rounds.

    A curve may fall again afterwards: the first crossing counts, since a user would have stopped there. A curve that
    begins at or above the target answers its first cost, which is then an upper bound.

    Args:
        costs: Never falling, shape (rounds,).
        values: Shape (rounds,).
        target: In units of ``values``.

    Returns:
        The cost, or None if no round reaches the target.
    """
    if len(values) and values[0] >= target:
        return float(costs[0])
    for (c0, v0), (c1, v1) in pairwise(zip(costs, values, strict=True)):
        if v1 >= target:  # so v0 < target
            return float(c0 + (target - v0) / (v1 - v0) * (c1 - c0))
    return None


def common_range(curves: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """The costs that all curves span, or None if they share no stretch.

    Args:
        curves: Costs of each curve, each never falling.
    """
    if not curves or not all(len(costs) for costs in curves):
        return None
    low, high = max(costs[0] for costs in curves), min(costs[-1] for costs in curves)
    return (float(low), float(high)) if low < high else None


def area(costs: Sequence[float], values: Sequence[float], low: float, high: float) -> float:
    """Area under the budget curve from ``low`` to ``high`` by trapezoids, divided by that range.

    That is the mean metric over the range, in units of the metric.

    Args:
        costs: Never falling, shape (rounds,), spanning low to high.
        values: Shape (rounds,).
        low: Where the range begins.
        high: Where it ends, above ``low``.

    Raises:
        ValueError: If the curve does not span the range.
    """
    costs, values = np.asarray(costs, float), np.asarray(values, float)
    if not (low < high and len(costs) and costs[0] <= low and high <= costs[-1]):
        raise ValueError(f'The curve does not span {low:g} to {high:g}.')
    inside = (costs > low) & (costs < high)
    x = np.concatenate([[low], costs[inside], [high]])
    y = np.concatenate(
        [[_value_at(costs, values, low, -1)], values[inside], [_value_at(costs, values, high, 0)]]
    )
    return float(trapezoid(y, x) / (high - low))


def _value_at(costs: np.ndarray, values: np.ndarray, cost: float, which: int) -> float:
    """Metric at a cost; of several rounds at that very cost, the first (0) or the last (-1)."""
    there = np.flatnonzero(costs == cost)
    return float(values[there[which]] if len(there) else np.interp(cost, costs, values))
