"""scikit-learn's handwritten digits as a dataset for classification."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from mmal.errors import InputError
from mmal.registry import DATASETS

SPLITS = dict(train=(0, 1000), val=(1000, 1300), test=(1300, 1797))
"""First and last row of each split, the last one excluded, in the shuffled digits."""


@DATASETS.register_module()
class Digits(BaseDataset):  # type: ignore[misc]  # mmengine is untyped
    """The 1,797 handwritten digits in scikit-learn's wheel, 16 x 16 pixels.

    They are split at random, once for all runs.

    Args:
        split: 'train' (1000 images), 'val' (300) or 'test' (497).
        **kwargs: Arguments of mmengine's BaseDataset.

    Raises:
        InputError: If scikit-learn is missing.
    """

    METAINFO = dict(classes=tuple(str(label) for label in range(10)))

    def __init__(self, split: str, **kwargs: Any) -> None:
        self.split = split
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Load the images of the split.

        Returns:
            One dict per image: ``img``, uint8 of shape (16, 16, 3), and ``gt_label``.

        Raises:
            InputError: If scikit-learn is missing.
        """
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            raise InputError('The digits need scikit-learn: pip install scikit-learn') from None
        digits = load_digits()
        start, stop = SPLITS[self.split]
        order = np.random.default_rng(0).permutation(len(digits.images))[start:stop]
        # The values 0 to 16 become 0 to 255.
        scans = (digits.images[order] * 15.9375).astype(np.uint8)
        images = scans.repeat(2, 1).repeat(2, 2)[..., None].repeat(3, 3)
        return [
            dict(img=image, gt_label=int(label))
            for image, label in zip(images, digits.target[order], strict=True)
        ]
