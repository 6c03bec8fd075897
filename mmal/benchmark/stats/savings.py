"""Annotation saved at a target against a baseline, by seed, with a paired t-interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .student import p_value, t_interval


@dataclass(frozen=True)
class PairedEffect:
    """An effect against the baseline of the same seed, over seeds.

    Attributes:
        values: Effect by seed, for each seed that has one.
        mean: Mean of the values; None if there are none.
        low: Lower end of the 95 % t-interval of the mean; None with fewer than two values, or
            where a seed is censored, because the mean is then of chosen seeds.
        high: Upper end of the interval; None as ``low``.
        p: Two-sided p-value of the paired t-test against no effect; None as ``low``.
        not_reached: Seeds where the method never reached the target.
        baseline_not_reached: Seeds where the baseline never reached it.
    """

    values: dict[int, float]
    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    not_reached: tuple[int, ...] = ()
    baseline_not_reached: tuple[int, ...] = ()

    @property
    def censored(self) -> bool:
        """Whether a seed has no effect because one of the two never reached the target."""
        return bool(self.not_reached or self.baseline_not_reached)


def paired_effect(
    values: Mapping[int, float],
    not_reached: tuple[int, ...] = (),
    baseline_not_reached: tuple[int, ...] = (),
) -> PairedEffect:
    """Mean, interval and p-value of effects by seed.

    Where a seed never reached the target, the other seeds are no sample of all: they were chosen by
    their outcome. Their mean is given, an interval and a p-value are not.

    Args:
        values: Effect by seed.
        not_reached: Seeds where the method never reached the target. Defaults to none.
        baseline_not_reached: Seeds where the baseline never reached it. Defaults to none.

    Returns:
        The effect over all seeds.
    """
    effects = list(values.values())
    mean = float(np.mean(effects)) if effects else None
    if not_reached or baseline_not_reached:
        return PairedEffect(dict(values), mean, None, None, None, not_reached, baseline_not_reached)
    low, high = t_interval(effects) or (None, None)
    return PairedEffect(dict(values), mean, low, high, p_value(effects))


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
