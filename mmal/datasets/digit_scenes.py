from mmdet.datasets import CocoDataset

from mmal.registry import DATASETS

from .generate_digit_scenes import make_digit_scenes


@DATASETS.register_module()
class DigitScenes(CocoDataset):
    """Scenes of real handwritten digits, made on first use; see :mod:`mmal.datasets.generate_digit_scenes`.

    Args:
        data_root: Where the data set lies or is to be made.
        **kwargs: Of CocoDataset.
    """

    METAINFO = dict(classes=tuple(str(label) for label in range(10)))

    def __init__(self, *args, data_root: str, **kwargs) -> None:
        make_digit_scenes(data_root)
        super().__init__(*args, data_root=data_root, **kwargs)
