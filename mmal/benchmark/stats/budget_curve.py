"""The budget curve of one run: metric over annotation cost, cost at a target, and area under it.

Higher metrics are better throughout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import numpy.typing as npt
from scipy.integrate import trapezoid

from mmal.pool.budget import BudgetUnit

if TYPE_CHECKING:
    from mmal.run.history import CurvePoint

FloatArray = npt.NDArray[np.float64]
"""An array of float64 numbers."""

Numbers = Sequence[float] | FloatArray
"""A sequence of numbers of shape (rounds,)."""


def is_number(value: object) -> TypeGuard[float]:
    """Check whether a metric was measured.

    Args:
        value: Entry of a point's ``metrics``, or None where the metric is absent.

    Returns:
        True for a finite number, False for anything else, truth values included.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value)


def amount_labeled(point: CurvePoint, unit: BudgetUnit) -> int:
    """Annotation cost of a round.

    Args:
        point: Point of a curve.
        unit: ``BudgetUnit.IMAGE`` or ``BudgetUnit.BOX``.

    Returns:
        Number of images or boxes that are labeled for the round's model.

    Raises:
        KeyError: If curves do not hold costs in the unit.
    """
    amounts = {BudgetUnit.IMAGE: point['images'], BudgetUnit.BOX: point['boxes']}
    return amounts[unit]


def budget_points(
    curve: Iterable[CurvePoint], metric: str, unit: BudgetUnit = BudgetUnit.IMAGE
) -> tuple[FloatArray, FloatArray]:
    """Cost and metric of every round that has the metric.

    A round without it (a given model may be left unmeasured) is left out, so a straight line joins
    its neighbours.

    Args:
        curve: Contents of ``curve.json``.
        metric: Name of the metric, a key of ``metrics``.
        unit: Unit of the costs, images or boxes. Defaults to images.

    Returns:
        Costs and values, each of shape (rounds,), in the order of the rounds.
    """
    costs = []
    values = []
    for point in curve:
        value = point['metrics'].get(metric)
        if is_number(value):
            costs.append(amount_labeled(point, unit))
            values.append(value)
    return np.array(costs, float), np.array(values, float)


def cost_at(costs: Numbers, values: Numbers, target: float) -> float | None:
    """Cost at which a curve first reaches a target, by a straight line between two rounds.

    A curve may fall again afterwards. The first crossing counts, since a user would have stopped
    there. For a curve that begins at or above the target it is the first cost, which is then an
    upper bound.

    Args:
        costs: Costs of the rounds, never falling, shape (rounds,).
        values: Metric of the rounds, shape (rounds,).
        target: Value to reach, in units of ``values``.

    Returns:
        The cost, or None if no round reaches the target.
    """
    if len(values) and values[0] >= target:
        return float(costs[0])
    steps = pairwise(zip(costs, values, strict=True))
    for (cost_before, value_before), (cost_after, value_after) in steps:
        if value_after >= target:
            # the value before is below the target, so there is no division by zero
            share = (target - value_before) / (value_after - value_before)
            return float(cost_before + share * (cost_after - cost_before))
    return None


def common_range(curves: Sequence[Numbers]) -> tuple[float, float] | None:
    """The range of costs that all curves span.

    Args:
        curves: Costs of each curve, each never falling.

    Returns:
        Lower and upper end, or None if the curves share no stretch.
    """
    if not curves:
        return None
    if any(len(costs) == 0 for costs in curves):
        return None
    low = max(costs[0] for costs in curves)
    high = min(costs[-1] for costs in curves)
    if low >= high:
        return None
    return float(low), float(high)


def area(costs: Numbers, values: Numbers, low: float, high: float) -> float:
    """Area under the budget curve from ``low`` to ``high`` by trapezoids, divided by that range.

    That is the mean metric over the range, in units of the metric.

    Args:
        costs: Costs of the rounds, never falling, shape (rounds,), spanning low to high.
        values: Metric of the rounds, shape (rounds,).
        low: Lower end of the range.
        high: Upper end of the range, above ``low``.

    Returns:
        The mean metric over the range.

    Raises:
        ValueError: If the curve does not span the range.
    """
    x = np.asarray(costs, float)
    y = np.asarray(values, float)
    if not (low < high and len(x) and x[0] <= low and high <= x[-1]):
        raise ValueError(f'The curve does not span {low:g} to {high:g}.')
    inside = (x > low) & (x < high)
    value_at_low = value_at(x, y, low)
    value_at_high = value_at(x, y, high, which=0)
    x_in_range = np.concatenate([[low], x[inside], [high]])
    y_in_range = np.concatenate([[value_at_low], y[inside], [value_at_high]])
    return float(trapezoid(y_in_range, x_in_range) / (high - low))


def value_at(costs: FloatArray, values: FloatArray, cost: float, which: int = -1) -> float:
    """Metric at a cost, on the straight line between two rounds.

    Args:
        costs: Costs of the rounds, never falling, shape (rounds,), spanning ``cost``.
        values: Metric of the rounds, shape (rounds,).
        cost: The cost.
        which: Of several rounds at that very cost, the first (0) or the last (-1). Defaults to the
            last.

    Returns:
        The metric, in units of ``values``.
    """
    rounds_at_cost = np.flatnonzero(costs == cost)
    if len(rounds_at_cost):
        return float(values[rounds_at_cost[which]])
    return float(np.interp(cost, costs, values))
