"""Which images are for evaluation, and which are the pool."""

from __future__ import annotations

from collections.abc import Container
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


def split(
    scanned: Scan,
    n_evaluation: int,
    seed: int,
    candidates: Container[str] | None = None,
    not_candidates: Container[str] = (),
) -> Split:
    """Draw images for evaluation.

    Args:
        scanned: All images.
        n_evaluation: Number of images to draw.
        seed: Seed of the draw.
        candidates: Names of images that may be drawn. Defaults to None: all.
        not_candidates: Names of images that may not, nor any that looks like one of them, so that
            they stay in the pool. Defaults to none.

    Returns:
        The parts.

    Raises:
        InputError: If fewer images than that look different from each other.
    """
    drawn: set[str] = set()
    drawn_groups: set[str] = set()
    names = []
    for image in scanned.images:
        is_candidate = candidates is None or image.name in candidates
        if is_candidate and image.name not in not_candidates:
            names.append(image.name)
    avoided = set()
    for image in scanned.images:
        if image.name in not_candidates:
            avoided.add(scanned.representative(image.name))
    for name in shuffled(names, seed, 'evaluation'):
        if len(drawn) == n_evaluation:
            break
        group = scanned.representative(name)
        if group not in drawn_groups and group not in avoided:
            drawn.add(name)
            drawn_groups.add(group)
    if len(drawn) < n_evaluation:
        raise InputError(
            f'--evaluation {n_evaluation}: only {len(drawn)} of {len(names)} images look different '
            'from each other. Ask for fewer.'
        )
    return _part(scanned, drawn, drawn_groups, kept=())


def split_off(scanned: Scan, evaluation: Container[str], kept: Container[str]) -> Split:
    """Take images for evaluation that the user names.

    Args:
        scanned: All images.
        evaluation: Names of those for evaluation.
        kept: Names of images that stay in the pool though they look like one for evaluation: those
            that the user has labeled to learn from.

    Returns:
        The parts.
    """
    names = {image.name for image in scanned.images if image.name in evaluation}
    groups = {scanned.representative(name) for name in names}
    return _part(scanned, names, groups, kept)


def _part(
    scanned: Scan, evaluation: Container[str], groups: Container[str], kept: Container[str]
) -> Split:
    """The parts, where what looks like an image for evaluation is set aside."""
    parts = Split(pool=[], evaluation=[], excluded=[])
    for image in scanned.images:
        looks_alike = scanned.representative(image.name) in groups
        if image.name in evaluation:
            parts.evaluation.append(image)
        elif looks_alike and image.name not in kept:
            parts.excluded.append(image)
        else:
            parts.pool.append(image)
    return parts
