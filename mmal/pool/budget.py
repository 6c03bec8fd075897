"""What a query may spend, and in which unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from enum import Enum
from typing import TypeVar

ImageId = TypeVar('ImageId', bound=Hashable)

DEFAULT_HOLDOUT = 0.2
"""Share of the initial images held out if the reference set is 'holdout' and no share is given."""


class BudgetUnit(str, Enum):
    """What labeling is paid in. Members compare equal to their text, as configs write it."""

    IMAGE = 'image'
    BOX = 'box'
    SECOND = 'second'

    def __str__(self) -> str:
        # Python's own differs between its versions.
        return self.value

    @property
    def plural(self) -> str:
        """The unit as curves and tables name it: 'images', 'boxes' or 'seconds'."""
        return 'boxes' if self is BudgetUnit.BOX else f'{self.value}s'


def holdout_size(initial: int, share: float) -> int:
    """Compute how many of the initial images no model is trained on.

    Args:
        initial: Number of initial images.
        share: Share of them to hold out, in [0, 1]; 0 holds out none, any other at least one.
    """
    if not share:
        return 0
    return max(1, round(share * initial))


def spend(
    candidates: Iterable[ImageId], budget: float, cost: Callable[[ImageId], float]
) -> list[ImageId]:
    """Take candidates in order until the budget is spent.

    Only the last one taken may overshoot the budget. No candidate after it is asked for.

    Args:
        candidates: Image ids, or what stands for them, best first.
        budget: What may be spent, in the unit of ``cost``.
        cost: Gives the cost of labeling an image. It is called only for images that are taken,
            since it may reveal labels.

    Returns:
        Ids of the images taken, best first.
    """
    taken: list[ImageId] = []
    if budget <= 0:
        return taken
    spent: float = 0
    for image_id in candidates:
        taken.append(image_id)
        spent += cost(image_id)
        if spent >= budget:
            break
    return taken


def images_within_budget(budget: float, images: int, boxes: int) -> int:
    """Predict how many images a budget in boxes pays for.

    Assumes that they have as many boxes on average as the images labeled so far, and that an image
    costs at least one box.

    Args:
        budget: What may be spent, in boxes.
        images: Number of images labeled so far.
        boxes: Number of boxes of those images.
    """
    boxes_per_image = max(boxes / max(images, 1), 1.0)
    return max(1, math.ceil(budget / boxes_per_image))
