"""One pass of a model over images of the pool, distributed over the processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, TypeVar

from mmengine import dist

from mmal.adapters.base import ImageId
from mmal.adapters.loading import Unreadable, batches
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.utils.gpu_memory import explain_full_gpu
from mmal.utils.progress import track

from .base import ImageIds, Query, Reasons
from .pass_cache import PassCache

F = TypeVar('F')

PassResult: TypeAlias = tuple[dict[ImageId, F], Reasons]
"""What a pass found, and why images could not be loaded, by id."""

BatchFunction: TypeAlias = Callable[[ImageIds, list[Any]], Sequence[F]]
"""Makes one finding per image, from the ids and dataset items of a batch."""

MIN_IMAGES_TO_JUDGE = 10
"""Number of images of which all are unreadable that means a broken disk or pipeline.

Fewer may all be broken, at the end of a pool.
"""

FLUSH_SECONDS = 30.0
"""Seconds for which a process holds findings in memory before it writes them."""


def run_over_pool(
    query: Query,
    predict_batch: BatchFunction[F],
    ids: ImageIds | None = None,
    title: str = 'scoring',
    batch_size: int | None = None,
    mode: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> PassResult[F]:
    """Run images through a model in batches, and gather the findings in rank 0.

    Each image is run by one process. Whole batches are dealt out. An image is therefore in the same
    company, and its finding the same to the last digit, whatever the number of processes and
    whether or not the pass was interrupted. Findings are written to files now and then: an
    interrupted pass resumes from them, and the memory of a process does not grow with the pool.

    Args:
        query: The query whose images are visited.
        predict_batch: Takes the ids and dataset items of one batch and returns one finding per
            item: a plain number, a numpy array, or a tuple of them.
        ids: Ids of the images. Defaults to None: all of the query's.
        title: Word for the pass in the progress line. Defaults to 'scoring'.
        batch_size: Number of images per batch. Defaults to None: that of the query.
        mode: Makes a context that all batches run in. (An adapter's ``loss_mode`` hides the other
            processes, so it must not surround this function itself.) Defaults to none.

    Returns:
        In rank 0, findings by id, in the order of ``ids``, and the reason by id for images that
        could not be loaded. In other processes, nothing: what is decided from findings is decided
        by :func:`~mmal.distributed.rank_zero.run_on_rank_zero`.

    Raises:
        InputError: If the GPU's memory does not suffice for a batch.
        RuntimeError: If none of ten images or more could be loaded by any process, or if findings
            were lost.
    """
    if ids is None:
        ids = query.ids
    size = batch_size or query.batch_size
    cache = PassCache(query.pass_dir, query.new_pass_name(title), query.logger)
    # One list for all processes, made before any of them writes.
    finished = run_on_rank_zero(cache.ids)
    if finished:
        done = f'{len(finished)} images are done'
        query.logger.info(f'Round {query.round}: {title} goes on; {done}.')
    world = dist.get_world_size()
    own_ids = _own_share(ids, finished, size, dist.get_rank(), world)
    buffer = _Buffer(cache)
    cure = (
        'Lower batch_size of the sampler, or of val_dataloader where the sampler has none, then go '
        'on by --resume.'
    )
    with explain_full_gpu(f'{title}, with batches of {size} images', cure), mode():
        for findings, unreadable in _predictions(query, predict_batch, own_ids, title, size):
            buffer.add(findings, unreadable)
    if world > 1:
        buffer.flush()
        dist.barrier()
    return _gather_in_rank_zero(ids, cache, buffer)


class _Buffer:
    """Findings of this process that are not in a file yet.

    Args:
        cache: Receives them.
    """

    def __init__(self, cache: PassCache) -> None:
        self.findings: dict[ImageId, Any] = {}
        self.unreadable: Reasons = {}
        self._cache = cache
        self._last_flush = time.monotonic()

    def add(self, findings: Mapping[ImageId, Any], unreadable: Mapping[ImageId, str]) -> None:
        """Hold the findings of one more batch, and write all if that is due."""
        self.findings.update(findings)
        self.unreadable.update(unreadable)
        if time.monotonic() - self._last_flush >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is held to a file, and hold nothing."""
        self._cache.write(self.findings, self.unreadable)
        self.findings = {}
        self.unreadable = {}
        self._last_flush = time.monotonic()


def _own_share(ids: ImageIds, finished: set[ImageId], size: int, rank: int, world: int) -> ImageIds:
    """Ids of this process: every ``world``-th of the batches that are not finished."""
    unfinished_batches = []
    for start in range(0, len(ids), size):
        batch = ids[start : start + size]
        if not finished.issuperset(batch):
            unfinished_batches.append(batch)
    own_ids: ImageIds = []
    for batch in unfinished_batches[rank::world]:
        own_ids.extend(batch)
    return own_ids


def _predictions(
    query: Query,
    predict_batch: BatchFunction[Any],
    ids: ImageIds,
    title: str,
    size: int,
) -> Iterator[PassResult[Any]]:
    """Findings, and reasons of unreadable images, of one batch after the other."""
    dataset, row_of_id = query.images()
    id_of_row = {row_of_id[i]: i for i in ids}
    loader = batches(dataset, list(id_of_row), size, query.num_workers)
    n_batches = math.ceil(len(ids) / size)
    shown_title = f'round {query.round}: {title}'
    for batch in track(loader, n_batches, shown_title, query.logger):
        readable_ids = []
        items = []
        unreadable = {}
        for row, item in batch:
            image_id = id_of_row[row]
            if isinstance(item, Unreadable):
                unreadable[image_id] = item.reason
            else:
                readable_ids.append(image_id)
                items.append(item)
        findings = {}
        if items:
            batch_findings = predict_batch(readable_ids, items)
            findings = dict(zip(readable_ids, batch_findings, strict=True))
        yield findings, unreadable


def _gather_in_rank_zero(ids: ImageIds, cache: PassCache, buffer: _Buffer) -> PassResult[Any]:
    """Findings and reasons of all processes in rank 0; nothing in the others."""
    findings: dict[ImageId, Any] = {}
    unreadable: Reasons = {}

    # The result stays in rank 0: it grows with the pool, and the others have no use for it.
    def gather() -> None:
        nonlocal findings, unreadable
        findings, unreadable = _merged(ids, cache, buffer)

    run_on_rank_zero(gather)
    return findings, unreadable


def _merged(ids: ImageIds, cache: PassCache, buffer: _Buffer) -> PassResult[Any]:
    """All in the files and in the buffer of this process; findings in the order of ``ids``."""
    findings = dict(buffer.findings)
    unreadable = dict(buffer.unreadable)
    for more_findings, more_unreadable in cache.read():
        findings.update(more_findings)
        unreadable.update(more_unreadable)
    ordered_findings = {}
    lost = []
    for image_id in ids:
        if image_id in findings:
            ordered_findings[image_id] = findings[image_id]
        elif image_id not in unreadable:
            lost.append(image_id)
    if lost:
        examples = ', '.join(map(str, lost[:3]))
        if len(lost) > 3:
            examples += ', ...'
        raise RuntimeError(
            f'Nothing is known of {len(lost)} of {len(ids)} images, expected a finding of each: '
            f'{examples}. Files of this pass were lost meanwhile; go on by --resume, which visits '
            'the images again.'
        )
    if len(unreadable) >= MIN_IMAGES_TO_JUDGE and not findings:
        first_reason = next(iter(unreadable.values()))
        raise RuntimeError(
            f'None of {len(unreadable)} images could be loaded; the first says: {first_reason}'
        )
    return ordered_findings, unreadable
