"""A closed round with its data: what it chose, what labeling revealed, images as pictures."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image, ImageOps

from mmal.adapters import build_data_adapter
from mmal.annotation.records import by_image, is_box
from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.run.layout import RunPaths
from mmal.run.round_state import RoundState
from mmal.run.saved_run import LAST_ROUND_HINT, load_run_config

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter


def run_data(cfg: Config) -> DataAdapter:
    """The data of a run.

    Args:
        cfg: Config of the run.

    Raises:
        InputError: If a file that the config names is missing.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    data: DataAdapter = build_data_adapter(cfg)
    return data


def load_image(data: DataAdapter, image_id: Hashable, pool: Callable[[], Any]) -> Image.Image:
    """A pool image as a picture, from its file or from memory.

    Args:
        data: Data of the run.
        image_id: Id of the image.
        pool: Returns the pool's dataset. It is called only for an image that is no file.

    Returns:
        The picture in RGB, turned as EXIF asks for: so it was trained on, and so its boxes are.

    Raises:
        OSError: If the file cannot be read.
        KeyError: If the image is not in the pool.
    """
    path = data.image_path(image_id)
    if path:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert('RGB')
    dataset = pool()
    row = data.row_index(dataset)[image_id]
    pixels = dataset.get_data_info(row)['img']
    return Image.fromarray(np.asarray(pixels, dtype=np.uint8))


class SavedRound:
    """A closed round of a run, one whose chosen images are labeled, with its data.

    Args:
        work_dir: Work directory of the run, where its config lies.
        number: Number of the round, from 0.
        cfg: Config of the run. Defaults to None: the one in the work_dir.
        data: Data of the run. Defaults to None: built from the config.
        options: Settings of the config to override, as by ``--cfg-options``. Defaults to None.

    Attributes:
        work_dir: Work directory of the run.
        paths: Files of the round.
        cfg: Config of the run.
        data: Data of the run.

    Raises:
        InputError: If there is no config or the round is not closed.
    """

    def __init__(
        self,
        work_dir: str | Path,
        number: int,
        cfg: Config | None = None,
        data: DataAdapter | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.work_dir = Path(work_dir)
        self.paths = RunPaths(self.work_dir).round(number)
        self.cfg = load_run_config(work_dir) if cfg is None else cfg
        if options:
            self.cfg.merge_from_dict(options)
        if not RoundState(work_dir, number).closed:
            raise InputError(
                f'Round {number} of {work_dir} has chosen nothing, or its labels are to come. '
                f'{LAST_ROUND_HINT}'
            )
        self.data = run_data(self.cfg) if data is None else data

    @cached_property
    def pool(self) -> Any:
        """The pool's dataset without annotations."""
        return self.data.pool_dataset(str(RunPaths(self.work_dir).pool))

    @property
    def selected(self) -> list[Hashable]:
        """Ids chosen in this round, best first."""
        ids: list[Hashable] = read_json(self.paths.artifact('select'))
        return ids

    @cached_property
    def _labels(self) -> dict[Hashable, list[Any]]:
        """Annotations by image."""
        _, annotations = self.data.read_labeled(self.paths.artifact('label'))
        return by_image(annotations)

    def ground_truth(self, image_id: Hashable) -> list[Any]:
        """What labeling an image revealed.

        Args:
            image_id: Id of the image.

        Returns:
            :class:`~mmal.annotation.records.CocoAnnotation` or
            :class:`~mmal.annotation.records.ImageLabel` entries.
        """
        return self._labels.get(image_id, [])

    def picture(self, image_id: Hashable) -> Image.Image:
        """An image as a picture; see :func:`load_image`.

        Args:
            image_id: Id of the image.
        """
        return load_image(self.data, image_id, lambda: self.pool)

    def boxes(self, image_id: Hashable) -> list[tuple[float, float, float, float, str]]:
        """x, y, width, height and class name of the revealed boxes of an image.

        There are none in classification.

        Args:
            image_id: Id of the image.
        """
        names = {category['id']: category['name'] for category in self.data.categories}
        boxes = []
        for annotation in self.ground_truth(image_id):
            if is_box(annotation):
                x, y, width, height = annotation['bbox']
                boxes.append((x, y, width, height, names[annotation['category_id']]))
        return boxes

    def caption(self, image_id: Hashable) -> str:
        """The beginning of an image's id and, for classification, its revealed label.

        Args:
            image_id: Id of the image.
        """
        words = [str(image_id)[:16]]
        for annotation in self.ground_truth(image_id):
            if 'label' in annotation:
                words.append(f'label {annotation["label"]}')
        return ' '.join(words)
