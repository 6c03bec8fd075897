"""Look at a finished round: the chosen images as pictures, the pool's features by the round's model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image, ImageOps

from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.adapters.loading import Unreadable, batches
from mmal.annotation.records import by_image
from mmal.engine.round_runner import TrainedModel, round_cfg
from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.run.round_state import RoundState
from mmal.run.saved_run import load_run_config
from mmal.utils.progress import track


def run_data(cfg: Config):
    """The data of a run, by its config.

    Raises:
        InputError: If a file it names is missing.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    return build_data_adapter(cfg)


def load_image(data, image_id, pool: Callable) -> Image.Image:
    """A pool image as a picture, from its file or from memory.

    Args:
        data: The :class:`~mmal.adapters.base.DataAdapter` of the run.
        image_id: Of the image.
        pool: Gives the pool's dataset, and is asked only for images that are no files.
    """
    path = data.image_path(image_id)
    if path:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert(
                'RGB'
            )  # as it was trained on, and its boxes are
    dataset = pool()
    info = dataset.get_data_info(data.row_index(dataset)[image_id])
    return Image.fromarray(np.asarray(info['img'], dtype=np.uint8))


class SavedRound:
    """A round of a run, with its data.

    Args:
        work_dir: Of the run; its config lies there.
        number: Of the round.
        cfg: Its config; by default what lies in the work_dir.
        data: Its data; by default built from the config.
        options: Settings of the config to override, as by ``--cfg-options``.

    Raises:
        InputError: If there is no config or the round is not closed.
    """

    def __init__(
        self,
        work_dir: str | Path,
        number: int,
        cfg: Config | None = None,
        data=None,
        options: dict | None = None,
    ) -> None:
        self.work_dir, self.folder = Path(work_dir), RoundState(work_dir, number)
        self.cfg = load_run_config(work_dir) if cfg is None else cfg
        if options:
            self.cfg.merge_from_dict(options)
        if not self.folder.complete:
            raise InputError(f'Round {number} of {work_dir} is not finished.')
        self.data = run_data(self.cfg) if data is None else data

    @cached_property
    def pool(self):
        """The pool's dataset without annotations."""
        return self.data.pool_dataset(str(self.work_dir / 'pool.json'))

    @property
    def selected(self) -> list:
        """Ids chosen in this round, best first."""
        return read_json(self.folder.artifact('select'))

    @cached_property
    def _labels(self) -> dict:
        """Annotations by image."""
        return by_image(self.data.read_labeled(self.folder.artifact('label'))[1])

    def ground_truth(self, image_id) -> list[dict]:
        """What labeling the image revealed."""
        return self._labels.get(image_id, [])

    def picture(self, image_id) -> Image.Image:
        """The image as a picture, from its file or from memory."""
        return load_image(self.data, image_id, lambda: self.pool)

    def boxes(self, image_id) -> list[tuple]:
        """x, y, w, h and class name of its revealed boxes; none for classification."""
        names = {c['id']: c['name'] for c in getattr(self.data, 'categories', [])}
        return [
            (*a['bbox'], names[a['category_id']])
            for a in self.ground_truth(image_id)
            if 'bbox' in a
        ]

    def caption(self, image_id) -> str:
        """Its id and, for classification, its revealed label."""
        labels = [a['label'] for a in self.ground_truth(image_id) if 'label' in a]
        return ' '.join([str(image_id)[:16], *(f'label {label}' for label in labels)])

    def features(self, layers: list[str] | None, logger) -> tuple[list, np.ndarray, list]:
        """Ids of the whole pool, their features of shape (N, D) by the round's model, and the class it predicts most.

        Args:
            layers: Modules whose outputs are taken. None: what goes into the last layers.
            logger: For the progress.
        """
        cfg = round_cfg(
            self.cfg,
            f'look_{self.work_dir.name}',
            self.work_dir / 'look',
            self.folder.number,
            0,
            dict(type='EpochBasedTrainLoop', max_epochs=1),
        )
        cfg.launcher = 'none'
        self.data.set_training_set(cfg, self.folder.artifact('label'))
        task = build_model_adapter(
            TrainedModel(cfg, self.folder.artifact('train')).runner.model, cfg
        )
        pool = self.pool
        ids, features, classes = list(self.data.row_index(pool)), [], []
        kept = []
        stream = batches(pool, range(len(ids)), 32)
        for batch in track(stream, -(-len(ids) // 32), 'features', logger):
            good = [(row, item) for row, item in batch if not isinstance(item, Unreadable)]
            items = [item for _, item in good]
            features += list(task.features(items, layers).cpu().numpy()) if items else []
            classes += [self._top_class(task, item) for item in items]
            kept += [ids[row] for row, _ in good]
        return kept, np.stack(features), classes

    def _top_class(self, task, item) -> str:
        """Name of the class the model is surest of; 'nothing' where a detector finds nothing."""
        if not hasattr(task, 'detect'):
            p = task.probabilities([item])[0]
            return str(self.data.classes[int((p[:, 0] if task.multi_label else p[0]).argmax())])
        found = task.detect([item])[0]
        return (
            str(self.data.classes[int(found.labels[found.scores.argmax()])])
            if len(found)
            else 'nothing'
        )
