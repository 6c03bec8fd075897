"""Which method beats which: the pairwise penalty matrix of BADGE."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .student import p_value

MIN_SEEDS = 5
"""Number of common seeds below which a t-test has too little power to be counted."""

ValuesBySeed = Mapping[int, Mapping[int, float]]
"""Metrics of one method: {seed: {round: metric}}."""


def wins(first: ValuesBySeed, second: ValuesBySeed, alpha: float = 0.05) -> tuple[float, int]:
    """Share of the rounds in which the first method is significantly better than the second.

    Each round gets a paired two-sided t-test over the seeds that both methods have. A round counts
    if they share :data:`MIN_SEEDS` of them. Round 0 does not count where its model is shared, that
    is, where all differences are 0: no method could win it. Rounds are compared, so equal numbers
    of images, not of boxes.

    Args:
        first: {seed: {round: metric}} of the first method, higher is better.
        second: {seed: {round: metric}} of the second method.
        alpha: Level of the test, without correction for the number of tests. Defaults to 0.05.

    Returns:
        The share, 0 to 1, and the number of rounds that counted; (nan, 0) if none did.
    """
    numbers: set[int] = set()
    for values_by_round in first.values():
        numbers.update(values_by_round)
    won = 0
    counted = 0
    for number in sorted(numbers):
        seeds = _common_seeds(first, second, number)
        if len(seeds) < MIN_SEEDS:
            continue
        first_values = [first[seed][number] for seed in seeds]
        second_values = [second[seed][number] for seed in seeds]
        if number == 0 and first_values == second_values:
            continue
        counted += 1
        won += _significantly_better(first_values, second_values, alpha)
    if not counted:
        return float('nan'), 0
    return won / counted, counted


def _common_seeds(first: ValuesBySeed, second: ValuesBySeed, number: int) -> list[int]:
    """Seeds with which both methods have the metric in a round."""
    seeds = []
    for seed in first:
        if seed in second and number in first[seed] and number in second[seed]:
            seeds.append(seed)
    return seeds


def _significantly_better(first: list[float], second: list[float], alpha: float) -> bool:
    differences = np.subtract(first, second).tolist()
    p = p_value(differences)
    return p is not None and p < alpha and sum(differences) > 0


def penalty_matrix(
    values: Mapping[str, ValuesBySeed], alpha: float = 0.05
) -> dict[str, dict[str, float | None]]:
    """Share of the rounds that the row's method wins against the column's, for every pair.

    Source: Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds"
    (BADGE), ICLR 2020, section 4: the winner of a round gets 1 / number of rounds.

    Args:
        values: Metric by method, seed and round.
        alpha: Level of each test. Defaults to 0.05.

    Returns:
        {row: {column: share}}; None where there are fewer than :data:`MIN_SEEDS` common seeds in
        every round that counts. A method has no entry against itself.
    """
    matrix: dict[str, dict[str, float | None]] = {}
    for row in values:
        matrix[row] = {}
        for column in values:
            if column == row:
                continue
            share, rounds = wins(values[row], values[column], alpha)
            matrix[row][column] = share if rounds else None
    return matrix
