"""SVHN's cropped digits as a dataset for classification."""

from __future__ import annotations

import os.path as osp
from typing import Any

from mmengine.dataset import BaseDataset

from mmal.errors import InputError
from mmal.registry import DATASETS


@DATASETS.register_module()
class SVHN(BaseDataset):  # type: ignore[misc]  # mmengine is untyped
    """Street View House Numbers, cropped digits of 32 x 32 pixels (Netzer et al., 2011).

    Read from the data set's own ``{split}_32x32.mat``.

    Args:
        data_root: Folder of the file.
        split: 'train' (73,257 images), 'test' (26,032) or 'extra' (531,131).
        **kwargs: Arguments of mmengine's BaseDataset.

    Raises:
        InputError: If the file is missing or does not hold SVHN's arrays.
    """

    METAINFO = dict(classes=tuple(str(digit) for digit in range(10)))

    def __init__(self, data_root: str, split: str, **kwargs: Any) -> None:
        self.file = osp.join(data_root, f'{split}_32x32.mat')
        super().__init__(ann_file='', data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Load the images of the split.

        Returns:
            One dict per image: ``img``, uint8 of shape (32, 32, 3), and ``gt_label``.

        Raises:
            InputError: If the file is missing or does not hold SVHN's arrays.
        """
        from scipy.io import loadmat

        if not osp.exists(self.file):
            raise InputError(
                f'SVHN: {self.file} not found. Download it from '
                'http://ufldl.stanford.edu/housenumbers.'
            )
        content = loadmat(self.file, variable_names=('X', 'y'))
        if not {'X', 'y'} <= set(content) or content['X'].shape[:3] != (32, 32, 3):
            raise InputError(f'SVHN: {self.file} does not hold X (32, 32, 3, N) and y (N, 1).')
        images = content['X'].transpose(3, 0, 1, 2)
        # The file labels the digit 0 as 10.
        labels = content['y'].ravel() % 10
        return [
            dict(img=image, gt_label=int(label))
            for image, label in zip(images, labels, strict=True)
        ]
