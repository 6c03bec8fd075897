"""Which method beats which: the pairwise penalty matrix of BADGE."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from scipy.stats import ttest_rel

MIN_SEEDS = 5
"""Common seeds below which a t-test says too little to be counted."""

Values = Mapping[str, Mapping[int, Mapping[int, float]]]
"""{method: {seed: {round: metric}}}."""


def wins(
    first: Mapping[int, Mapping[int, float]],
    second: Mapping[int, Mapping[int, float]],
    alpha: float = 0.05,
) -> tuple[float, int]:
    """Share of the rounds in which the first method is significantly better than the second.

    In each round a paired two-sided t-test over the seeds that both have; a round counts if they share
    :data:`MIN_SEEDS` of them. Rounds are compared, so equal numbers of images, not of boxes.

    Args:
        first: {seed: {round: metric}}, higher is better.
        second: The same of the other method.
        alpha: Level of the test, without correction for the number of tests. Defaults to 0.05.

    Returns:
        The share, 0 to 1, and the number of rounds that counted; (nan, 0) if none did.
    """
    won, rounds = 0, 0
    for number in sorted({r for run in first.values() for r in run}):
        seeds = [s for s in first if s in second and number in first[s] and number in second[s]]
        if len(seeds) < MIN_SEEDS:
            continue
        rounds += 1
        a, b = (np.array([run[s][number] for s in seeds]) for run in (first, second))
        with warnings.catch_warnings(), np.errstate(all='ignore'):
            warnings.simplefilter(
                'ignore'
            )  # equal differences: p is 0, or nan if all are 0 (a shared first round)
            p = ttest_rel(a, b).pvalue
        won += bool(p < alpha and a.mean() > b.mean())
    return (won / rounds if rounds else float('nan')), rounds


def penalty_matrix(values: Values, alpha: float = 0.05) -> dict[str, dict[str, float | None]]:
    """Share of the rounds that the row's method wins against the column's, for every pair.

    Source: Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds" (BADGE), ICLR 2020,
    section 4: the winner of a round gets 1 / number of rounds.

    Args:
        values: Metric by method, seed and round.
        alpha: Level of each test. Defaults to 0.05.

    Returns:
        {row: {column: share}}; None where there are fewer than :data:`MIN_SEEDS` common seeds in every round. A method
        has no entry against itself.
    """
    found: dict[str, dict[str, float | None]] = {}
    for row in values:
        pairs = {
            column: wins(values[row], values[column], alpha) for column in values if column != row
        }
        found[row] = {
            column: share if rounds else None for column, (share, rounds) in pairs.items()
        }
    return found
