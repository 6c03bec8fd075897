"""What the reference set and the evaluation set of a run have in common, as ``run.json`` has it."""

from __future__ import annotations

from typing import TypedDict


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
