"""The training set of round 0, before there is a round: how many batches an epoch of it has."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmal.annotation.records import by_image
from mmal.errors import InputError
from mmal.fileio.text import write_json
from mmal.pool.order import shuffled
from mmal.pool.pool import Pool

from .context import RunContext
from .epoch_length import epoch_length
from .initial_set import require_objects

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter

ENDLESS_SAMPLERS = ('InfiniteSampler', 'MultiSourceSampler', 'GroupMultiSourceSampler')
"""Data samplers that never end an epoch."""


def has_first_labels(run: RunContext) -> bool:
    """Whether the labels of the first images are known before anybody is asked.

    Args:
        run: The run.
    """
    return run.given is not None or (run.data.has_truth and not run.oracle.is_human)


def first_epoch_length(run: RunContext) -> int:
    """The number of batches that each process gets in an epoch of the first training.

    Images are drawn as the run will draw them. Of images that people are still to label, each
    counts as one with a box; a cold start may choose others.

    Args:
        run: The run.

    Raises:
        InputError: If there is no batch in an epoch, or no end to it.
    """
    settings = run.settings
    candidates = Pool(run.pool_ids).ids if run.given is None else run.given.ids
    order = shuffled(candidates, settings.seed, 'initial')
    held_out = order[: settings.holdout]
    ids = order[settings.holdout : settings.initial]
    if has_first_labels(run) and run.data.has_boxes:
        of_all = _first_labels(run, [*held_out, *ids])
        require_objects(run, ids, held_out, by_image(of_all))
    contents = run.data.labeled_contents(ids, _first_labels(run, ids))
    cfg = copy.deepcopy(run.cfg)
    with tempfile.TemporaryDirectory() as scratch:
        labeled_file = Path(scratch) / 'first.json'
        write_json(labeled_file, contents)
        run.data.set_training_set(cfg, str(labeled_file))
        loader = cfg.train_dataloader
        _require_end(cfg)
        length = _length_unless_empty(loader, len(ids))
    if length == 0:
        batch_size = loader.get('batch_size')
        raise InputError(
            f'The first training would have no iteration: an epoch of {len(ids)} images, without '
            f'those that filter_cfg leaves out, has no whole batch of {batch_size}, and drop_last '
            'is set. Set train_dataloader.drop_last=False, lower train_dataloader.batch_size, or '
            'raise train_cfg.initial.'
        )
    return length


def _length_unless_empty(loader: Any, n_images: int) -> int:
    try:
        return epoch_length(loader, loader.dataset)
    except ValueError as e:
        # What numpy says of the host's list of images, where its filter leaves none.
        if 'need at least one array to concatenate' not in str(e):
            raise
        raise InputError(
            f'The first training would have no iteration: none of its {n_images} images is left by '
            'filter_cfg of train_dataloader.dataset: they are smaller than min_size, or have no '
            'box. Raise train_cfg.initial, lower min_size, or set filter_empty_gt=False.'
        ) from None


def _require_end(cfg: Any) -> None:
    """Refuse epochs that would never end."""
    kind = cfg.train_dataloader.sampler.get('type')
    sampler = str(getattr(kind, '__name__', kind)).split('.')[-1]
    if sampler in ENDLESS_SAMPLERS and 'max_epochs' in cfg.train_cfg:
        raise InputError(
            f'train_dataloader.sampler is a {sampler}, which never ends an epoch, and '
            'train_cfg.max_epochs counts them. Set train_cfg.max_iters in its place, or '
            "train_dataloader.sampler=dict(type='DefaultSampler', shuffle=True)."
        )


def _first_labels(run: RunContext, ids: Sequence[Hashable]) -> Sequence[Any]:
    """Labels of the first images, as far as they can be known before anybody is asked."""
    if run.given is not None:
        return run.given.response(ids).annotations
    if has_first_labels(run):
        return run.data.ground_truth(ids)
    return _placeholder_labels(run.data, ids)


def _placeholder_labels(data: DataAdapter, ids: Sequence[Hashable]) -> list[dict[str, Any]]:
    """Labels for images that people are still to label: enough to count iterations by."""
    labels: list[dict[str, Any]] = []
    if not data.has_boxes:
        label = [0] if data.several_labels else 0
        return [dict(id=image_id, label=label) for image_id in ids]
    category = data.categories[0]['id']
    for image_id in ids:
        info = data.file_info(image_id)
        width = info['width']
        height = info['height']
        box = dict(
            image_id=image_id,
            category_id=category,
            bbox=[0, 0, width, height],
            area=width * height,
            iscrowd=0,
        )
        labels.append(box)
    return labels
