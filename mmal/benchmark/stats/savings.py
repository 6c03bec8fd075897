"""Annotation saved at a target against a baseline, by seed, with a paired bootstrap interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

CONFIDENCE = 0.95
"""Confidence level of the intervals."""

N_RESAMPLES = 9999
"""Bootstrap samples that an interval is made from."""


@dataclass(frozen=True)
class PairedEffect:
    """An effect against the baseline of the same seed, over seeds.

    Attributes:
        values: Effect by seed, for each seed that has one.
        mean: Mean of the values; None if there are none.
        low: Lower end of the 95 % interval of the mean; None with fewer than two values.
        high: Upper end of the interval; None with fewer than two values.
        not_reached: Seeds where the method never reached the target.
        baseline_not_reached: Seeds where the baseline never reached it.
    """

    values: dict[int, float]
    mean: float | None
    low: float | None
    high: float | None
    not_reached: tuple[int, ...] = ()
    baseline_not_reached: tuple[int, ...] = ()


def bootstrap_interval(effects: Sequence[float]) -> tuple[float, float] | None:
    """95 % percentile bootstrap interval of the mean of paired effects, resampling seeds.

    The interval is the same at every call. With few seeds it is too narrow: two seeds can only give
    a range within their own two values.

    Args:
        effects: One effect per seed, method against baseline of the same seed, shape (seeds,).

    Returns:
        Lower and upper end, or None with fewer than two seeds.
    """
    if len(effects) < 2:
        return None
    result = bootstrap(
        (np.asarray(effects, float),),
        np.mean,
        confidence_level=CONFIDENCE,
        method='percentile',
        n_resamples=N_RESAMPLES,
        random_state=np.random.default_rng(0),
    )
    interval = result.confidence_interval
    return float(interval.low), float(interval.high)


def paired_effect(
    values: Mapping[int, float],
    not_reached: tuple[int, ...] = (),
    baseline_not_reached: tuple[int, ...] = (),
) -> PairedEffect:
    """Mean and interval of effects by seed.

    Args:
        values: Effect by seed.
        not_reached: Seeds where the method never reached the target. Defaults to none.
        baseline_not_reached: Seeds where the baseline never reached it. Defaults to none.

    Returns:
        The effect over all seeds.
    """
    effects = list(values.values())
    mean = float(np.mean(effects)) if effects else None
    low, high = bootstrap_interval(effects) or (None, None)
    return PairedEffect(dict(values), mean, low, high, not_reached, baseline_not_reached)


def percent_saved(cost: float | None, baseline: float | None) -> float | None:
    """Per cent of the baseline's cost that was not spent.

    Args:
        cost: Cost of the method, None if it never reached the target.
        baseline: Cost of the baseline, None if it never reached the target.

    Returns:
        The saving; negative if more was spent. None if either cost is None or the baseline's is 0.
    """
    if cost is None or not baseline:
        return None
    return 100 * (1 - cost / baseline)


def paired_savings(
    costs: Mapping[int, float | None], baseline: Mapping[int, float | None]
) -> PairedEffect:
    """Annotation saved, in per cent of the baseline's cost, over the seeds that both have.

    A seed where one of the two never reached the target has no saving and is named; it is not
    averaged away in silence. A mean over the other seeds then flatters whichever failed.

    Args:
        costs: Cost of the method at the target by seed, None where it was never reached.
        baseline: Cost of the baseline at the target by seed, None where it was never reached.

    Returns:
        The savings, with the seeds that have none.
    """
    seeds = [seed for seed in costs if seed in baseline]
    savings = {}
    for seed in seeds:
        saving = percent_saved(costs[seed], baseline[seed])
        if saving is not None:
            savings[seed] = saving
    return paired_effect(
        savings,
        not_reached=tuple(seed for seed in seeds if costs[seed] is None),
        baseline_not_reached=tuple(seed for seed in seeds if baseline[seed] is None),
    )
