"""Areas under the budget curve and costs at a target, against the baseline of the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from mmal.pool.budget import BudgetUnit

from .budget_curve import area, budget_points, common_range, cost_at
from .savings import PairedEffect, paired_effect, paired_savings, percent_saved
from .tables import round_means

if TYPE_CHECKING:
    from mmal.benchmark.results import Comparison


@dataclass(frozen=True)
class Areas:
    """Areas under the budget curves, over the costs that all done runs span.

    Attributes:
        low: Lower end of the common range, in images or boxes; None if the runs share no stretch.
        high: Upper end of the common range; None if the runs share no stretch.
        by_method: {method: {seed: area}}, where an area is the mean metric over the range.
        differences: Area less the baseline's of the same seed, by method, without the baseline
            itself; empty without a baseline.
    """

    low: float | None
    high: float | None
    by_method: dict[str, dict[int, float]] = field(default_factory=dict)
    differences: dict[str, PairedEffect] = field(default_factory=dict)


@dataclass(frozen=True)
class AtTarget:
    """What one method needs to reach the target.

    Attributes:
        cost: Cost where its mean curve first reaches the target, in images or boxes; None if it
            never does.
        saved: Per cent less than the baseline's mean curve, both over the seeds that both have;
            None if either never reaches the target, or without a baseline.
        seeds: The seeds that both have; none for the baseline or without one.
        reached: Number of done runs that reach the target.
        runs: Number of done runs that have a target.
        paired: Saving seed by seed; None for the baseline or without one.
    """

    cost: float | None
    saved: float | None
    seeds: tuple[int, ...]
    reached: int
    runs: int
    paired: PairedEffect | None


def areas(comparison: Comparison, unit: BudgetUnit) -> Areas:
    """Areas of all done runs.

    Args:
        comparison: The comparison with its runs.
        unit: Unit of the costs, images or boxes.

    Returns:
        The areas, and their differences from the baseline.
    """
    curves = {}
    for run in comparison.done():
        curves[run.method, run.seed] = budget_points(run.curve, comparison.metric, unit)
    limits = common_range([costs for costs, _ in curves.values()])
    if limits is None:
        return Areas(None, None)
    low, high = limits
    by_method: dict[str, dict[int, float]] = {method: {} for method in comparison.methods}
    for (method, seed), (costs, values) in curves.items():
        by_method[method][seed] = area(costs, values, low, high)
    differences = _area_differences(by_method, comparison.baseline)
    return Areas(low, high, by_method, differences)


def _area_differences(
    by_method: Mapping[str, Mapping[int, float]], baseline: str | None
) -> dict[str, PairedEffect]:
    """Area less the baseline's of the same seed, by method; empty if no baseline run is done."""
    if baseline is None or not by_method.get(baseline):
        return {}
    baseline_areas = by_method[baseline]
    differences = {}
    for method, areas_by_seed in by_method.items():
        if method == baseline:
            continue
        difference = {}
        for seed, value in areas_by_seed.items():
            if seed in baseline_areas:
                difference[seed] = value - baseline_areas[seed]
        differences[method] = paired_effect(difference)
    return differences


def mean_curve(
    means: pd.DataFrame, method: str, unit: BudgetUnit
) -> tuple[list[float], list[float]]:
    """Cost and metric of a method's mean curve.

    It has the rounds with all of the method's done runs in the mean. Later rounds, reached by some
    of them only, would make it jump.

    Args:
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.
        method: Name of the method.
        unit: Unit of the costs, images or boxes.

    Returns:
        Costs and values, one per round.
    """
    measured = means[(means['method'] == method) & (means['n'] > 0)]
    whole = measured[measured['n'] == measured['n'].max()]
    return whole[unit.plural].tolist(), whole['metric'].tolist()


def targets(comparison: Comparison, means: pd.DataFrame) -> tuple[float | None, dict[int, float]]:
    """The target, and that of each seed.

    A given target holds for all. Without one it is the baseline's final metric, as in the paper.
    For mean curves that is the final metric of its mean curve. For a seed it is that of its run
    with this seed, so that every pair has a target that its baseline reaches.

    Args:
        comparison: The comparison with its runs.
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.

    Returns:
        The target (None without one and without a baseline that is done), and {seed: target}.
    """
    if comparison.target is not None:
        return comparison.target, dict.fromkeys(comparison.seeds, comparison.target)
    final_values = _final_values_of_baseline(comparison)
    if comparison.baseline is None or not final_values:
        return None, {}
    _, mean_values = mean_curve(means, comparison.baseline, BudgetUnit.IMAGE)
    return mean_values[-1], final_values


def _final_values_of_baseline(comparison: Comparison) -> dict[int, float]:
    """Last value of the metric by seed, of the baseline's done runs."""
    if comparison.baseline is None:
        return {}
    final_values = {}
    for run in comparison.done(comparison.baseline):
        _, values = budget_points(run.curve, comparison.metric)
        final_values[run.seed] = values[-1]
    return final_values


def at_target(comparison: Comparison, means: pd.DataFrame, unit: BudgetUnit) -> dict[str, AtTarget]:
    """What each method with a done run needs to reach the target, and saves against the baseline.

    Args:
        comparison: The comparison with its runs.
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.
        unit: Unit of the costs, images or boxes.

    Returns:
        Results by method; empty if there is no target.
    """
    target, target_by_seed = targets(comparison, means)
    if target is None:
        return {}
    costs_by_method = {}
    for method in comparison.methods:
        if comparison.done(method):
            costs_by_method[method] = _costs(comparison, method, unit, target_by_seed)
    results = {}
    for method, costs in costs_by_method.items():
        seeds: tuple[int, ...] = ()
        paired = None
        if comparison.baseline in costs_by_method and method != comparison.baseline:
            baseline_costs = costs_by_method[comparison.baseline]
            seeds = tuple(seed for seed in costs if seed in baseline_costs)
            paired = paired_savings(costs, baseline_costs)
        results[method] = AtTarget(
            cost=cost_at(*mean_curve(means, method, unit), target),
            saved=_percent_saved_by_means(comparison, method, unit, seeds),
            seeds=seeds,
            reached=sum(cost is not None for cost in costs.values()),
            runs=len(costs),
            paired=paired,
        )
    return results


def _percent_saved_by_means(
    comparison: Comparison, method: str, unit: BudgetUnit, seeds: tuple[int, ...]
) -> float | None:
    """Saving of the mean curves over these seeds, as if there were no others.

    A seed that one of the two lost is in neither mean.
    """
    if comparison.baseline is None or not seeds:
        return None
    runs = []
    for name in (method, comparison.baseline):
        runs += [run for run in comparison.done(name) if run.seed in seeds]
    part = replace(comparison, runs=runs)
    means = round_means(part)
    target, _ = targets(part, means)
    if target is None:
        return None
    cost = cost_at(*mean_curve(means, method, unit), target)
    baseline_cost = cost_at(*mean_curve(means, comparison.baseline, unit), target)
    return percent_saved(cost, baseline_cost)


def _costs(
    comparison: Comparison, method: str, unit: BudgetUnit, target_by_seed: Mapping[int, float]
) -> dict[int, float | None]:
    """Cost at the target by seed, of a method's done runs whose seed has a target."""
    costs_by_seed = {}
    for run in comparison.done(method):
        if run.seed in target_by_seed:
            costs, values = budget_points(run.curve, comparison.metric, unit)
            costs_by_seed[run.seed] = cost_at(costs, values, target_by_seed[run.seed])
    return costs_by_seed
