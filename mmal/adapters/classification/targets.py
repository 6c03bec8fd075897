"""The classes of annotated dataset items as numbers to fit to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmal.adapters.base import Item


def item_targets(items: Sequence[Item], n_classes: int) -> Tensor:
    """Read the classes of annotated items.

    Args:
        items: Dataset items with ``gt_label``, a class index or several, or with ``gt_score``, one
            number per class.
        n_classes: Number of classes, C.

    Returns:
        1 where an item has a class and 0 elsewhere, on the CPU, shape (N, C).
    """
    targets = torch.zeros(len(items), n_classes)
    for row, item in enumerate(items):
        sample = item['data_samples']
        if 'gt_label' in sample:
            targets[row, sample.gt_label.cpu().long()] = 1
        else:
            targets[row] = sample.gt_score.cpu()
    return targets
