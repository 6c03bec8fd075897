"""What a query may spend, and in which unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from enum import Enum

DEFAULT_HOLDOUT = 0.2
"""Share of the initial images that is held out where the reference set is 'holdout' and nothing else is said."""


class BudgetUnit(str, Enum):
    """What labeling is paid in. Members compare equal to their text, as configs write it."""

    IMAGE = 'image'
    BOX = 'box'
    SECOND = 'second'

    @property
    def plural(self) -> str:
        """The unit as curves and tables name it, for instance 'images'."""
        return 'boxes' if self is BudgetUnit.BOX else f'{self.value}s'


def holdout_size(initial: int, share: float) -> int:
    """How many of the initial images are never trained on."""
    return max(1, round(share * initial)) if share else 0


def spend(candidates: Iterable[Hashable], budget: int, cost: Callable[[Hashable], int]) -> list:
    """Take candidates in order until the budget is spent.

    ``cost`` is asked only for what is taken (it may reveal labels). The last one taken may overshoot the budget, no
    other.

    Args:
        candidates: Ids, best first.
        budget: In the unit of ``cost``.
        cost: What labeling this id costs.
    """
    taken, spent = [], 0
    for image_id in candidates:
        if spent >= budget:
            break
        taken.append(image_id)
        spent += cost(image_id)
    return taken


def images_within_budget(budget: int, images: int, boxes: int) -> int:
    """How many images a budget in boxes will pay for, if they have as many boxes as those labeled so far.

    Args:
        budget: In boxes.
        images: Labeled so far.
        boxes: Of those images.
    """
    return max(1, math.ceil(budget / max(boxes / max(images, 1), 1.0)))
