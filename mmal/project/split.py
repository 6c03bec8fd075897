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
        pool: Images that active learning chooses from.
        evaluation: Images for evaluation, drawn at random; no two of them look alike.
        excluded: Images that look like one for evaluation. Training on them would flatter the
            metric.
    """

    pool: list[ScannedImage]
    evaluation: list[ScannedImage]
    excluded: list[ScannedImage]


def split(scanned: Scan, n_evaluation: int, seed: int) -> Split:
    """Draw images for evaluation.

    Args:
        scanned: All images.
        n_evaluation: Number of images to draw.
        seed: Seed of the draw.

    Returns:
        The parts.

    Raises:
        InputError: If fewer images than that look different from each other.
    """
    drawn: set[str] = set()
    drawn_groups: set[str] = set()
    names = [image.name for image in scanned.images]
    for name in shuffled(names, seed, 'evaluation'):
        if len(drawn) == n_evaluation:
            break
        group = scanned.representative(name)
        if group not in drawn_groups:
            drawn.add(name)
            drawn_groups.add(group)
    if len(drawn) < n_evaluation:
        raise InputError(
            f'--evaluation {n_evaluation}: only {len(drawn)} of {len(names)} images look different '
            'from each other. Ask for fewer.'
        )
    parts = Split(pool=[], evaluation=[], excluded=[])
    for image in scanned.images:
        if image.name in drawn:
            parts.evaluation.append(image)
        elif scanned.representative(image.name) in drawn_groups:
            parts.excluded.append(image)
        else:
            parts.pool.append(image)
    return parts
