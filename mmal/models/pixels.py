"""Pixels as features, for a classifier of small pictures without a network."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmal.registry import MODELS


@MODELS.register_module()
class Pixels(nn.Module):
    """A backbone without a weight: it makes a grey picture of a few pixels, which are the features.

    It shows on pictures such as handwritten digits what methods of selection do, without a
    pretrained network.

    Args:
        side: Width and height of the picture in pixels. Defaults to 8: 64 features.

    Raises:
        ValueError: If ``side`` is below 1.
    """

    def __init__(self, side: int = 8) -> None:
        super().__init__()
        if side < 1:
            raise ValueError(f'Pixels: expected side of 1 or more, got {side}.')
        self.side = side

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Make the features.

        Args:
            images: Shape (N, channels, H, W).

        Returns:
            The grey pictures, shape (N, side * side), as the one output of a backbone.
        """
        grey = images.mean(1, keepdim=True)
        return (F.adaptive_avg_pool2d(grey, self.side).flatten(1),)
