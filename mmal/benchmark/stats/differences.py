"""Budget curves as differences from the baseline of the same seed, at equal cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmal.pool.budget import BudgetUnit

from .budget_curve import budget_points, common_range, value_at
from .student import t_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmal.benchmark.results import Comparison

    from .budget_curve import FloatArray


@dataclass(frozen=True)
class DifferencePoint:
    """Difference from the baseline at one cost.

    Attributes:
        cost: The cost, in images or boxes.
        mean: Mean difference over the seeds that both have, in units of the metric.
        low: Lower end of the 95 % paired t-interval; None with fewer than two seeds.
        high: Upper end of the interval; None as ``low``.
        seeds: Number of seeds in the mean.
    """

    cost: float
    mean: float
    low: float | None
    high: float | None
    seeds: int


def difference_curve(
    comparison: Comparison, method: str, unit: BudgetUnit
) -> list[DifferencePoint]:
    """A method's metric less the baseline's with the same seed, at equal cost.

    Values between two rounds lie on the straight line between them. All seeds that both have are in
    every point: the curve spans the costs that all of their runs span, because a mean over those
    seeds that happen to reach a cost would compare chosen seeds.

    Args:
        comparison: The comparison with its runs and a baseline.
        method: Name of the method.
        unit: Unit of the costs, images or boxes.

    Returns:
        Points at the ends of the span and at the mean costs of the method's rounds between them, by
        rising cost. None if no seed is done with both, or their runs span no common costs.
    """
    baselines = _curves(comparison, comparison.baseline, unit)
    curves = _curves(comparison, method, unit)
    seeds = [seed for seed in curves if seed in baselines]
    spans = [curves[seed][0] for seed in seeds] + [baselines[seed][0] for seed in seeds]
    limits = common_range(spans)
    if limits is None:
        return []
    points = []
    for cost in _costs_between(*limits, {seed: curves[seed][0] for seed in seeds}):
        differences = []
        for seed in seeds:
            difference = value_at(*curves[seed], cost) - value_at(*baselines[seed], cost)
            differences.append(difference)
        low, high = t_interval(differences) or (None, None)
        points.append(DifferencePoint(cost, float(np.mean(differences)), low, high, len(seeds)))
    return points


def _curves(
    comparison: Comparison, method: str | None, unit: BudgetUnit
) -> dict[int, tuple[FloatArray, FloatArray]]:
    """Costs and values by seed, of a method's done runs."""
    if method is None:
        return {}
    curves = {}
    for run in comparison.done(method):
        curves[run.seed] = budget_points(run.curve, comparison.metric, unit)
    return curves


def _costs_between(low: float, high: float, costs: Mapping[int, FloatArray]) -> list[float]:
    """Both limits, and the mean costs of the rounds that all seeds reached, where between them."""
    rounds = min(len(values) for values in costs.values())
    means = np.mean([values[:rounds] for values in costs.values()], axis=0)
    between = {float(cost) for cost in means if low < cost < high}
    return sorted({low, high} | between)
