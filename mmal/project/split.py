"""Which images are for evaluation, and which are the pool."""

from __future__ import annotations

from dataclasses import dataclass

from mmal.errors import InputError
from mmal.pool.order import shuffled

from .scan import Scan, ScannedImage


@dataclass(frozen=True)
class Split:
    """Parts of a scan's images, each in the order of names.

    Attributes:
        pool: To choose from.
        evaluation: Drawn at random, no two of them alike.
        excluded: They look like one for evaluation, and training on them would flatter the metric.
    """

    pool: list[ScannedImage]
    evaluation: list[ScannedImage]
    excluded: list[ScannedImage]


def split(found: Scan, evaluation: int, seed: int) -> Split:
    """Draw images for evaluation.

    Args:
        found: All images.
        evaluation: How many.
        seed: Of the draw.

    Raises:
        InputError: If there are not as many that look different.
    """
    drawn, groups = set(), set()
    for name in shuffled((i.name for i in found.images), seed, 'evaluation'):
        if len(drawn) == evaluation:
            break
        if found.group(name) not in groups:
            drawn.add(name)
            groups.add(found.group(name))
    if len(drawn) < evaluation:
        raise InputError(
            f'--evaluation {evaluation}: only {len(drawn)} of {len(found.images)} images look different '
            'from each other. Ask for fewer.'
        )
    parts = Split([], [], [])
    for image in found.images:
        part = (
            parts.evaluation
            if image.name in drawn
            else (parts.excluded if found.group(image.name) in groups else parts.pool)
        )
        part.append(image)
    return parts
