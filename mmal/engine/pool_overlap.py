"""Images of the pool that are in the evaluation set or in the reference set, too.

A model that has learned from an image of the evaluation set is measured on what it knows.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from mmal.adapters.base import DataAdapter
from mmal.annotation.batch import Batch
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.run.manifest import record_overlaps
from mmal.run.overlap import (
    EVALUATION,
    REFERENCE,
    PoolOverlap,
    overlap_cautions,
    pool_overlap_fact,
)
from mmal.utils.shown_names import MAX_NAMES, shown_names

from .auxiliary_sets import available_auxiliary_sets, unlabeled_batches
from .context import RunContext
from .set_overlap import comparison, counterparts, find_overlap, repeated_images


class SharedImages(NamedTuple):
    """Images of the pool that are in another set, too.

    Attributes:
        ids: Their ids.
        record: What is said of them.
    """

    ids: list[Hashable]
    record: PoolOverlap


def find_pool_overlaps(run: RunContext, sets: Mapping[str, Any]) -> list[SharedImages]:
    """Compare the pool with the sets beside it, as
    :func:`~mmal.engine.set_overlap.find_overlap` compares these.

    Images of batches that people still have to label are compared, too.

    Args:
        run: The run.
        sets: The datasets beside the pool, by what they are called.

    Returns:
        What is shared with the evaluation set and with the reference set. Nothing is returned of a
        set that shares nothing, or of a reference set that shares the same images as the
        evaluation set.
    """
    names = _names_of_sets(run, sets)
    found: list[SharedImages] = []
    for name in (EVALUATION, REFERENCE):
        shared = _shared_images(run, name, names.get(name, []))
        if shared.ids and all(shared.ids != other.ids for other in found):
            found.append(shared)
    return found


def _names_of_sets(run: RunContext, sets: Mapping[str, Any]) -> dict[str, list[str]]:
    """What tells the images of each set apart, by what the set is called."""
    names = {name: run.data.image_names(dataset) for name, dataset in sets.items()}
    if not run.oracle.is_human:
        return names
    pending = unlabeled_batches(run.cfg, run.sampler.needs_s_test, run.stest)
    for name, folders in pending.items():
        paths = []
        for folder in folders:
            batch = Batch.read(folder)
            paths += [os.path.join(batch.root, image.file_name) for image in batch.images]
        names.setdefault(name, paths)
    return names


def _shared_images(run: RunContext, set_name: str, names: list[str]) -> SharedImages:
    pool = pool_image_names(run.data)
    digest, by = comparison(run)
    other_names = counterparts(names, list(pool.values()), digest)
    ids = []
    shown: list[str] = []
    for image_id, name in pool.items():
        if name not in other_names:
            continue
        ids.append(image_id)
        if len(shown) < MAX_NAMES:
            file_name = str(run.data.file_info(image_id)['file_name'])
            shown.append(_shown_name(file_name, name, other_names[name]))
    record = PoolOverlap(set=set_name, images=len(ids), shown=shown, by=by, dropped=False)
    return SharedImages(ids, record)


def _shown_name(file_name: str, name: str, other: str) -> str:
    """Name of an image of the pool, with what the other set calls it if that is another name."""
    other_name = os.path.basename(other)
    if os.path.basename(name) == other_name:
        return file_name
    return f'{file_name} (there {other_name})'


def pool_image_names(data: DataAdapter) -> dict[Hashable, str]:
    """What tells the images of the pool apart, by their ids: path or checksum of pixels.

    Args:
        data: Data side of the task.
    """
    names = {}
    for image in data.images:
        image_id = image['id']
        names[image_id] = data.image_path(image_id) or data.pixel_digest(image_id)
    return names


def drop_evaluation_images(run: RunContext) -> SharedImages | None:
    """Leave the images out of the pool that are in the evaluation set, too. Every process calls it.

    Args:
        run: The run. Its data are changed.

    Returns:
        The images; None if there are none.

    Raises:
        InputError: If no image would be left, or the evaluation set lacks a file.
    """
    sets = available_auxiliary_sets(run)
    found = run_on_rank_zero(lambda: find_pool_overlaps(run, sets))
    for shared in found:
        if shared.record['set'] != EVALUATION:
            continue
        if len(shared.ids) == len(run.data.images):
            raise InputError(_all_shared_message(run))
        run.data.leave_out(shared.ids)
        return SharedImages(shared.ids, PoolOverlap(**{**shared.record, 'dropped': True}))
    return None


def require_pool_apart(run: RunContext, sets: Mapping[str, Any]) -> None:
    """Refuse a pool that has images of the evaluation set, unless the user decided what becomes of
    them. Only rank 0 calls it.

    Args:
        run: The run.
        sets: The datasets beside the pool, by what they are called.

    Raises:
        InputError: If the pool has images of the evaluation set, and
            ``train_cfg.drop_evaluation_images`` is not set.
    """
    if run.settings.drop_evaluation_images is not None:
        return
    for shared in find_pool_overlaps(run, sets):
        if shared.record['set'] == EVALUATION:
            raise InputError(_refusal(run, shared))


def tell_overlaps(run: RunContext, sets: Mapping[str, Any]) -> None:
    """Record whether the metric is measured on images that the choice is made for, or that models
    learn from, and warn of it. Only rank 0 calls it.

    Args:
        run: The run.
        sets: The datasets beside the pool, by what they are called.
    """
    overlap = find_overlap(run, sets)
    records = pool_overlaps(run, sets)
    record_overlaps(run.paths.work_dir, overlap, records)
    for caution in overlap_cautions(overlap, records) + repetition_notes(run, sets):
        run.log.warning(caution)


def pool_overlaps(run: RunContext, sets: Mapping[str, Any]) -> list[PoolOverlap]:
    """What the pool shares with the sets beside it, and what was left out of it because of that.

    Args:
        run: The run.
        sets: The datasets beside the pool, by what they are called.
    """
    records = []
    if run.dropped is not None:
        records.append(run.dropped)
    for shared in find_pool_overlaps(run, sets):
        records.append(shared.record)
    return records


def _refusal(run: RunContext, shared: SharedImages) -> str:
    if len(shared.ids) == len(run.data.images):
        return (
            f'{_all_shared_message(run)} To try things all the same, set '
            'train_cfg.drop_evaluation_images=False.'
        )
    return (
        f'{pool_overlap_fact(shared.record)} Models that are trained on them are measured on what '
        'they learned. Call this again with --drop, which leaves them out of the pool '
        '(train_cfg.drop_evaluation_images=True), or take them out of the annotation file of '
        f'{_evaluation_line(run)}. train_cfg.drop_evaluation_images=False keeps them in both, and '
        'says so wherever the metric stands.'
    )


def _all_shared_message(run: RunContext) -> str:
    return (
        f'All {len(run.data.images)} images of the pool are in the evaluation set, too. Name other '
        f'images in {_evaluation_line(run)}: models are measured there, and the pool is '
        'train_dataloader.dataset.'
    )


def _evaluation_line(run: RunContext) -> str:
    loader = 'test_dataloader' if run.cfg.get('test_dataloader') else 'val_dataloader'
    return f'{loader}.dataset'


def repetition_notes(run: RunContext, sets: Mapping[str, Any]) -> list[str]:
    """Say which images stand twice in a set beside the pool.

    Args:
        run: The run.
        sets: The datasets beside the pool, by what they are called.

    Returns:
        A sentence a set in which images do.
    """
    digest, by = comparison(run)
    notes = []
    for name, dataset in sets.items():
        repeated = repeated_images(run.data.image_names(dataset), digest)
        if not repeated:
            continue
        pairs = []
        for image, first in repeated.items():
            pairs.append(f'{os.path.basename(image)} is {os.path.basename(first)}')
        effect = 'the metric' if name == EVALUATION else 'its mean gradient'
        notes.append(
            f'{len(repeated)} images of the {name} are others of it again (compared by {by}): '
            f'{shown_names(pairs)}. Each counts twice in {effect}; take them out of the '
            'annotation file if that is not meant.'
        )
    return notes
