"""What pool, reference set and evaluation set of a run share, as ``run.json`` has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from mmal.utils.shown_names import shown_names

EVALUATION = 'evaluation set'
"""What the images that models are measured on are called."""
REFERENCE = 'reference set'
"""What the images whose loss is to fall are called."""


class SetOverlap(TypedDict):
    """What the reference set and the evaluation set have in common.

    Attributes:
        images: Number of evaluation images that are in the reference set, too.
        evaluation: Number of all evaluation images.
        by: How they were compared: 'file and content', or 'file name alone'.
    """

    images: int
    evaluation: int
    by: str


class PoolOverlap(TypedDict):
    """What the pool and a set beside it have in common.

    Attributes:
        set: What the set is called: 'evaluation set' or 'reference set'.
        images: Number of images of the pool that are in the set, too.
        shown: Names of the first of them.
        by: How they were compared: 'file and content', or 'file name alone'.
        dropped: Whether these images were left out of the pool.
    """

    set: str
    images: int
    shown: list[str]
    by: str
    dropped: bool


def overlap_caution(overlap: SetOverlap | None) -> str | None:
    """Why a metric is optimistic, and how to change that; None if it is not for this reason.

    Args:
        overlap: What the sets have in common; None if that is not known.
    """
    if overlap is None or not overlap['images']:
        return None
    return (
        f'{overlap["images"]} of the {overlap["evaluation"]} evaluation images are in the '
        f'reference set, too (compared by {overlap["by"]}): images are chosen for the very images '
        'that the metric is measured on, so the metric is optimistic. Set '
        "StestHook(reference='holdout'), or another test_dataloader, to keep the two apart."
    )


def pool_overlap_fact(overlap: PoolOverlap) -> str:
    """Which images of the pool are in another set, a sentence without what follows from it.

    Args:
        overlap: What pool and set have in common.
    """
    names = shown_names(overlap['shown'], overlap['images'])
    fact = f'in the {overlap["set"]}, too (compared by {overlap["by"]}): {names}.'
    if overlap['dropped']:
        return f'{overlap["images"]} images are left out of the pool, because they are {fact}'
    return f'{overlap["images"]} images of the pool are {fact}'


def pool_overlap_caution(overlap: PoolOverlap) -> str:
    """Which images of the pool are in another set, what follows, and how to change that.

    Args:
        overlap: What pool and set have in common.
    """
    fact = pool_overlap_fact(overlap)
    if overlap['dropped']:
        return fact
    if overlap['set'] == EVALUATION:
        return (
            f'{fact} Models that are trained on them are measured on what they learned, so the '
            'metric is optimistic. `mmal train --drop` leaves them out, in another --work-dir.'
        )
    return (
        f'{fact} Such an image ranks high because labeling it lowers its own loss. Take it out of '
        "the set or of the pool, or set StestHook(reference='holdout')."
    )


def overlap_cautions(overlap: SetOverlap | None, pool_overlaps: Sequence[PoolOverlap]) -> list[str]:
    """All that is to be said of what pool, reference set and evaluation set share.

    Args:
        overlap: What the two sets have in common; None if that is not known.
        pool_overlaps: What the pool and each of them have in common.
    """
    cautions = [pool_overlap_caution(pool_overlap) for pool_overlap in pool_overlaps]
    caution = overlap_caution(overlap)
    if caution is not None:
        cautions.append(caution)
    return cautions
