"""Annotation saved at a target against a baseline, seed by seed, with a paired bootstrap interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedEffect:
    """An effect against the baseline of the same seed, over seeds.

    Attributes:
        values: Effect of each seed that has one.
        mean: Of the values; None if there are none.
        low: Lower end of the 95 % interval; None with fewer than two values.
        high: Upper end.
        not_reached: Seeds where the method never reached the target.
        baseline_not_reached: Seeds where the baseline never did.
    """

    values: dict[int, float]
    mean: float | None
    low: float | None
    high: float | None
    not_reached: tuple[int, ...] = ()
    baseline_not_reached: tuple[int, ...] = ()


def interval(effects: Sequence[float]) -> tuple[float, float] | None:
    """95 % percentile bootstrap interval of the mean of paired effects, resampling seeds; the same at every call.

    With few seeds it is too narrow: two seeds can only give a range within their own two values.

    Args:
        effects: One a seed, method against baseline of the same seed, shape (seeds,).

    Returns:
        Both ends, or None with fewer than two seeds.
    """
    if len(effects) < 2:
        return None
    found = bootstrap(
        (np.asarray(effects, float),),
        np.mean,
        confidence_level=CONFIDENCE,
        method='percentile',
        n_resamples=9999,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def paired_effect(values: Mapping[int, float], **not_reached: tuple[int, ...]) -> PairedEffect:
    """Mean and interval of effects by seed."""
    ends = interval(list(values.values())) or (None, None)
    return PairedEffect(
        dict(values),
        float(np.mean(list(values.values()))) if values else None,
        *ends,
        **not_reached,
    )


def percent_saved(cost: float | None, baseline: float | None) -> float | None:
    """Per cent of the baseline's cost not spent; negative if more was. None if either is None or that cost is 0."""
    return None if cost is None or not baseline else 100 * (1 - cost / baseline)


def paired_savings(
    costs: Mapping[int, float | None], baseline: Mapping[int, float | None]
) -> PairedEffect:
    """Annotation saved, in per cent of the baseline's cost, over the seeds that both have.

    A seed where one of the two never reached the target has no saving and is named; it is not averaged away in silence.
    A mean over the others then flatters whichever failed.

    Args:
        costs: Cost at the target by seed, None where it was never reached.
        baseline: The same of the baseline.
    """
    seeds = [seed for seed in costs if seed in baseline]
    found = {seed: percent_saved(costs[seed], baseline[seed]) for seed in seeds}
    return paired_effect(
        {seed: value for seed, value in found.items() if value is not None},
        not_reached=tuple(s for s in seeds if costs[s] is None),
        baseline_not_reached=tuple(s for s in seeds if baseline[s] is None),
    )
