"""A comparison's areas under the budget curve and costs at a target, each against the baseline of the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from mmal.benchmark.results import Comparison

from .budget_curve import area, budget_points, common_range, cost_at
from .savings import PairedEffect, paired_effect, paired_savings, percent_saved
from .tables import round_means


@dataclass(frozen=True)
class Areas:
    """Areas under the budget curves, over the costs that all done runs span.

    Attributes:
        low: Where the common range begins, in images or boxes; None if the runs share no stretch.
        high: Where it ends.
        by_method: {method: {seed: area}}, the mean metric over the range.
        differences: Area less the baseline's of the same seed, by method but the baseline; empty without one.
    """

    low: float | None
    high: float | None
    by_method: dict[str, dict[int, float]] = field(default_factory=dict)
    differences: dict[str, PairedEffect] = field(default_factory=dict)


@dataclass(frozen=True)
class AtTarget:
    """What one method needs to reach the target.

    Attributes:
        cost: Where its mean curve first reaches it, in images or boxes; None if never.
        saved: Per cent less than the baseline's mean curve, both over the seeds that both have; None if either never
            reaches the target, or without a baseline.
        seeds: Those seeds; none for the baseline or without one.
        reached: Done runs that reach it.
        runs: Done runs that have a target.
        paired: Saving seed by seed; None for the baseline or without one.
    """

    cost: float | None
    saved: float | None
    seeds: tuple[int, ...]
    reached: int
    runs: int
    paired: PairedEffect | None


def areas(comparison: Comparison, unit: str) -> Areas:
    """Areas of all done runs.

    Args:
        comparison: With its runs.
        unit: 'images' or 'boxes'.
    """
    curves = {
        (run.method, run.seed): budget_points(run.curve, comparison.metric, unit)
        for run in comparison.done()
    }
    limits = common_range([costs for costs, _ in curves.values()])
    if limits is None:
        return Areas(None, None)
    found: dict[str, dict[int, float]] = {method: {} for method in comparison.methods}
    for (method, seed), (costs, values) in curves.items():
        found[method][seed] = area(costs, values, *limits)
    base = found.get(comparison.baseline, {})
    return Areas(
        *limits,
        found,
        {
            m: paired_effect({s: a - base[s] for s, a in by_seed.items() if s in base})
            for m, by_seed in found.items()
            if base and m != comparison.baseline
        },
    )


def mean_curve(means: pd.DataFrame, method: str, unit: str) -> tuple[list[float], list[float]]:
    """Cost and metric of a method's mean curve, over the rounds that have all of its done runs in the mean.

    Later rounds, reached by some of them only, would make it jump.

    Args:
        means: Of :func:`mmal.benchmark.stats.tables.round_means`.
        method: Name of the method.
        unit: 'images' or 'boxes'.
    """
    part = means[(means['method'] == method) & (means['n'] > 0)]
    part = part[part['n'] == part['n'].max()]
    return part[unit].tolist(), part['metric'].tolist()


def targets(comparison: Comparison, means: pd.DataFrame) -> tuple[float | None, dict[int, float]]:
    """The target, and that of each seed.

    A given target holds for all. Without one it is the baseline's final metric, as in the paper: for mean curves that
    of its mean curve, for a seed that of its run with this seed (so that every pair has a target its baseline reaches).

    Returns:
        The target (None without one and without a baseline that is done), and {seed: target}.
    """
    if comparison.target is not None:
        return comparison.target, dict.fromkeys(comparison.seeds, comparison.target)
    runs = comparison.done(comparison.baseline) if comparison.baseline else []
    if not runs:
        return None, {}
    return mean_curve(means, comparison.baseline, 'images')[1][-1], {
        run.seed: budget_points(run.curve, comparison.metric)[1][-1] for run in runs
    }


def at_target(comparison: Comparison, means: pd.DataFrame, unit: str) -> dict[str, AtTarget]:
    """What each method that has a done run needs to reach the target, and saves against the baseline.

    Args:
        comparison: With its runs.
        means: Of :func:`mmal.benchmark.stats.tables.round_means`.
        unit: 'images' or 'boxes'.

    Returns:
        By method; empty if there is no target.
    """
    target, of_seed = targets(comparison, means)
    methods = [m for m in comparison.methods if comparison.done(m)] if target is not None else []
    costs = {m: _costs(comparison, m, unit, of_seed) for m in methods}
    base, found = comparison.baseline, {}
    for m in methods:
        both = (
            tuple(seed for seed in costs[m] if seed in costs[base])
            if base in costs and m != base
            else ()
        )
        found[m] = AtTarget(
            cost=cost_at(*mean_curve(means, m, unit), target),
            saved=_saved(comparison, m, unit, both),
            seeds=both,
            reached=sum(cost is not None for cost in costs[m].values()),
            runs=len(costs[m]),
            paired=paired_savings(costs[m], costs[base]) if base in costs and m != base else None,
        )
    return found


def _saved(comparison: Comparison, method: str, unit: str, seeds: tuple[int, ...]) -> float | None:
    """Saving of the mean curves over these seeds, as if there were no others: a seed that one lost is in neither."""
    part = replace(
        comparison,
        runs=[
            run
            for m in (method, comparison.baseline)
            if m is not None
            for run in comparison.done(m)
            if run.seed in seeds
        ],
    )
    means = round_means(part)
    target = targets(part, means)[0]
    if target is None or not seeds:
        return None
    return percent_saved(
        *(cost_at(*mean_curve(means, m, unit), target) for m in (method, comparison.baseline))
    )


def _costs(
    comparison: Comparison, method: str, unit: str, of_seed: Mapping[int, float]
) -> dict[int, float | None]:
    return {
        run.seed: cost_at(*budget_points(run.curve, comparison.metric, unit), of_seed[run.seed])
        for run in comparison.done(method)
        if run.seed in of_seed
    }
