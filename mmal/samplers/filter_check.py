"""Whether influence by guessed labels picks the right images where labels are known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SHARE = 0.25
"""Share of the reference images that pass."""

STANDARD_ERRORS = 1.0
"""By how many standard errors those that pass must be worse than the others to be distrusted."""

MIN_IMAGES = 20
"""Fewer images tell nothing, and the filter is trusted."""


class Verdict(NamedTuple):
    """What the reference set says of the filter.

    Attributes:
        is_right: Whether the filter is to be trusted.
        text: The same for the log.
    """

    is_right: bool
    text: str


def check_filter(guessed: NDArray[Any], true: NDArray[Any]) -> Verdict:
    """Ask the reference set, whose labels are known, whether influence picks the right images.

    The quarter of the reference images with the most negative influence by the model's own labels
    is what would pass. The mean influence *by the true labels* of these is compared with that of
    the others. If it is less negative by more than one standard error of the difference, images
    that pass are worth less than images that do not, and the filter is not to be trusted. That is
    so where the model is right about most images and learns from those it is unsure about; where it
    is unsure because images cannot be told apart, influence finds those it can learn from. (An
    image of the reference set has a part in s_test, which makes all these influences more negative
    alike.)

    Args:
        guessed: Influence of each reference image by the model's own label, shape (R,).
        true: Influence by its true label, shape (R,).

    Returns:
        Whether the filter is right.
    """
    is_finite = np.isfinite(guessed) & np.isfinite(true)
    guessed, true = guessed[is_finite], true[is_finite]
    n_passing = int(SHARE * len(true))
    if len(true) < MIN_IMAGES:
        return Verdict(True, f'{len(true)} reference images are too few to check it.')
    order = np.argsort(guessed, kind='stable')
    passing, others = true[order[:n_passing]], true[order[n_passing:]]
    error = np.sqrt(passing.var(ddof=1) / len(passing) + others.var(ddof=1) / len(others))
    difference = float(passing.mean() - others.mean())
    is_right = difference <= STANDARD_ERRORS * error
    outcome = 'is used' if is_right else 'is let go in this round'
    return Verdict(
        bool(is_right),
        f'influence by true labels of the {n_passing} reference images that would pass is '
        f'{passing.mean():.3g}, of the others {others.mean():.3g} (standard error of the '
        f'difference {error:.2g}): the filter {outcome}.',
    )
