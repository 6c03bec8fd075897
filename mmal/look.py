"""Look at a finished round: the chosen images as pictures, the pool's features by the round's model."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image, ImageOps

from .annotations import by_image
from .artifacts import read_json
from .errors import InputError
from .inner import TrainedModel, round_cfg
from .progress import track
from .round import RoundFolder
from .run_record import NAME as RUN
from .run_record import moved_paths
from .sealed import read_sealed
from .tasks import build_data, build_task
from .tasks.loading import Unreadable, batches


def config_of(work_dir: str | Path) -> Config:
    """The config that a run left in its work_dir; of a project that was moved since, with its paths of now.

    Raises:
        InputError: If there is none.
    """
    configs = sorted(Path(work_dir).glob('*.py'), key=lambda p: p.stat().st_mtime)
    if not configs:
        raise InputError(f'{work_dir} holds no config: expected the work_dir of a run of al_train.py.')
    cfg, file = Config.fromfile(configs[-1]), Path(work_dir) / RUN
    was = read_sealed(file).get('folder') if file.exists() else None
    now = was and _folder_of_moved(Path(cfg.get('work_dir') or ''), Path(was), Path(os.path.abspath(work_dir)))
    if not now:
        return cfg
    return Config.fromstring(moved_paths(configs[-1].read_text(encoding='utf-8'), was, str(now)), '.py')


def _folder_of_moved(then: Path, was: Path, now: Path) -> Path | None:
    """The folder of a project's config, if the project was moved.

    Args:
        then: The work_dir, when the run was last called.
        was: The folder of the config at that time.
        now: The work_dir.
    """
    if then.exists() or not then.is_relative_to(was):
        return None
    place = then.relative_to(was).parts
    folders = (now, *now.parents)
    return folders[len(place)] if now.parts[len(now.parts) - len(place):] == place else None


def closed_rounds(work_dir: str | Path) -> list[int]:
    """Numbers of the finished rounds, at least one.

    Raises:
        InputError: If none is finished.
    """
    numbers = sorted(int(p.name[6:]) for p in Path(work_dir).glob('round_*') if p.name[6:].isdigit())
    found = [n for n in numbers if RoundFolder(work_dir, n).closed]
    if not found:
        raise InputError(f'{work_dir} holds no finished round: expected the work_dir of a run of al_train.py.')
    return found


def run_data(cfg: Config):
    """The data of a run, by its config.

    Raises:
        InputError: If a file it names is missing.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    return build_data(cfg)


def picture_of(data, image_id, pool: Callable) -> Image.Image:
    """A pool image as a picture, from its file or from memory.

    Args:
        data: The :class:`~mmal.tasks.base.TaskData` of the run.
        image_id: Of the image.
        pool: Gives the pool's dataset, and is asked only for images that are no files.
    """
    path = data.image_path(image_id)
    if path:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert('RGB')  # as it was trained on, and its boxes are
    dataset = pool()
    info = dataset.get_data_info(data.rows(dataset)[image_id])
    return Image.fromarray(np.asarray(info['img'], dtype=np.uint8))


class FinishedRound:
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

    def __init__(self, work_dir: str | Path, number: int, cfg: Config | None = None, data=None,
                 options: dict | None = None) -> None:
        self.work_dir, self.folder = Path(work_dir), RoundFolder(work_dir, number)
        self.cfg = config_of(work_dir) if cfg is None else cfg
        if options:
            self.cfg.merge_from_dict(options)
        if not self.folder.closed:
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

    def truth(self, image_id) -> list[dict]:
        """What labeling the image revealed."""
        return self._labels.get(image_id, [])

    def picture(self, image_id) -> Image.Image:
        """The image as a picture, from its file or from memory."""
        return picture_of(self.data, image_id, lambda: self.pool)

    def boxes(self, image_id) -> list[tuple]:
        """x, y, w, h and class name of its revealed boxes; none for classification."""
        names = {c['id']: c['name'] for c in getattr(self.data, 'categories', [])}
        return [(*a['bbox'], names[a['category_id']]) for a in self.truth(image_id) if 'bbox' in a]

    def caption(self, image_id) -> str:
        """Its id and, for classification, its revealed label."""
        labels = [a['label'] for a in self.truth(image_id) if 'label' in a]
        return ' '.join([str(image_id)[:16], *(f'label {label}' for label in labels)])

    def features(self, layers: list[str] | None, logger) -> tuple[list, np.ndarray, list]:
        """Ids of the whole pool, their features of shape (N, D) by the round's model, and the class it predicts most.

        Args:
            layers: Modules whose outputs are taken. None: what goes into the last layers.
            logger: For the progress.
        """
        cfg = round_cfg(self.cfg, f'look_{self.work_dir.name}', self.work_dir / 'look', self.folder.number, 0,
                        dict(type='EpochBasedTrainLoop', max_epochs=1))
        cfg.launcher = 'none'
        self.data.train_on(cfg, self.folder.artifact('label'))
        task = build_task(TrainedModel(cfg, self.folder.artifact('train')).runner.model, cfg)
        pool = self.pool
        ids, features, classes = list(self.data.rows(pool)), [], []
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
        return str(self.data.classes[int(found.labels[found.scores.argmax()])]) if len(found) else 'nothing'
