"""The digit scenes as a dataset of mmdet."""

from __future__ import annotations

from typing import Any

from mmdet.datasets import CocoDataset

from mmal.registry import DATASETS

from .generate_digit_scenes import make_digit_scenes


@DATASETS.register_module()
class DigitScenes(CocoDataset):  # type: ignore[misc]  # mmdet is untyped
    """Scenes of real handwritten digits, made on first use.

    See :mod:`mmal.datasets.generate_digit_scenes`.

    Args:
        *args: Positional arguments of mmdet's CocoDataset.
        data_root: Folder of the data set. It is made if it does not exist.
        **kwargs: Other arguments of mmdet's CocoDataset.

    Raises:
        InputError: If the data set has to be made and scikit-learn is missing.
    """

    METAINFO = dict(classes=tuple(str(label) for label in range(10)))

    def __init__(self, *args: Any, data_root: str, **kwargs: Any) -> None:
        make_digit_scenes(data_root)
        super().__init__(*args, data_root=data_root, **kwargs)
