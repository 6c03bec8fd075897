"""Student's t: the interval and the test of every mean of a comparison, and Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import t

CONFIDENCE = 0.95
"""Confidence level of the intervals."""


def half_width(sd: float, n: int) -> float:
    """Half of the 95 % t-interval of a mean: t(0.975, n - 1) * sd / sqrt(n).

    Args:
        sd: Sample standard deviation.
        n: Number of values, at least 2.

    Returns:
        Half of the interval's width, in units of ``sd``.
    """
    quantile = t.ppf((1 + CONFIDENCE) / 2, n - 1)
    return float(quantile * sd / n**0.5)


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of the mean by Student's t.

    Of paired differences it is the paired interval.

    Args:
        values: One value per seed, shape (seeds,).

    Returns:
        Lower and upper end, or None with fewer than two seeds.
    """
    if len(values) < 2:
        return None
    mean = float(np.mean(values))
    half = half_width(float(np.std(values, ddof=1)), len(values))
    return mean - half, mean + half


def p_value(differences: Sequence[float]) -> float | None:
    """Two-sided p-value of the paired t-test that the mean difference is 0.

    Args:
        differences: One difference per seed, shape (seeds,).

    Returns:
        The p-value: 0 for equal differences other than 0, and 1 if all are 0. None with fewer than
        two seeds.
    """
    n = len(differences)
    if n < 2:
        return None
    mean = float(np.mean(differences))
    sd = float(np.std(differences, ddof=1))
    if sd == 0:
        return 1.0 if mean == 0 else 0.0
    statistic = abs(mean) / (sd / n**0.5)
    return float(2 * t.sf(statistic, n - 1))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values with Holm's step-down correction, which holds the family-wise error rate.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
    Statistics 6, 1979: of m tests the p-value in place i from the smallest, i = 0, 1, ..., is
    multiplied by m - i, and none becomes smaller than the one before it, nor larger than 1.

    Args:
        p_values: Uncorrected p-value by method.

    Returns:
        Corrected p-value by method, in the order of ``p_values``.
    """
    ascending = sorted(p_values, key=lambda method: p_values[method])
    corrected = {}
    largest = 0.0
    for place, method in enumerate(ascending):
        factor = len(ascending) - place
        largest = max(largest, min(1.0, factor * p_values[method]))
        corrected[method] = largest
    return {method: corrected[method] for method in p_values}
