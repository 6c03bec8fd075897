"""One pass of a model over images of the pool, shared out among the processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

from mmengine import dist

from mmal.adapters.loading import Unreadable, batches
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.utils.progress import track

from .base import Query
from .pass_cache import PassCache

MIN_IMAGES_TO_JUDGE = 10
"""Fewer images than these may all be broken, at the end of a pool; more are a broken disk or pipeline."""

FLUSH_SECONDS = 30.0
"""Seconds of findings that a process holds in memory before it writes them."""


def run_over_pool(
    query: Query,
    visit: Callable[[list, list], list],
    ids: list | None = None,
    title: str = 'scoring',
    batch_size: int | None = None,
    mode: Callable[[], AbstractContextManager] = nullcontext,
) -> tuple[dict, dict]:
    """Visit images in batches, each image by one process, and gather the findings in rank 0.

    Whole batches are dealt out, so an image is in the same company, and its finding the same to the last digit,
    whatever the number of processes and whether the pass was interrupted. Findings are written to files now and then,
    so that an interrupted pass goes on where it was, and the memory of a process does not grow with the pool.

    Args:
        query: Whose images.
        visit: Gets ids and dataset items of a batch, returns a finding for each; plain numbers, numpy arrays, or tuples
            of them.
        ids: Which images. Defaults to None: all of the query's.
        title: For the progress line.
        batch_size: Images to a batch. Defaults to None: the query's.
        mode: Context around the visits. (A task's loss_mode hides the other processes, so it must not be around the
            sweep itself.) Defaults to none.

    Returns:
        In rank 0, findings by id, in the order of ``ids``, and the reason by id of images that could not be loaded; in
        other processes, nothing: what is decided from findings is decided by :func:`~mmal.distributed.rank_zero.run_on_rank_zero`.

    Raises:
        RuntimeError: If ten images or more were asked for and no process could load any, or findings were lost.
    """
    ids, shards = (
        query.ids if ids is None else ids,
        PassCache(query.pass_dir, query.new_pass_name(title), query.logger),
    )
    before = run_on_rank_zero(shards.ids)  # one list for all, made before anybody writes
    size = batch_size or query.batch_size
    todo = [
        batch for k in range(0, len(ids), size) if not before.issuperset(batch := ids[k : k + size])
    ]
    if before:
        query.logger.info(f'Round {query.round}: {title} goes on; {len(before)} images are done.')
    rank, world = dist.get_rank(), dist.get_world_size()
    held: tuple[dict, dict] = ({}, {})
    written = time.monotonic()
    with mode():
        for found, unreadable in _visits(
            query, visit, [i for b in todo[rank::world] for i in b], title, size
        ):
            held[0].update(found)
            held[1].update(unreadable)
            if time.monotonic() - written >= FLUSH_SECONDS:
                shards.write(*held)
                held, written = ({}, {}), time.monotonic()
    if world > 1:
        shards.write(*held)
        held = ({}, {})
        dist.barrier()
    merged: list = [({}, {})]
    run_on_rank_zero(lambda: merged.append(_merged(ids, shards, held)))
    return merged[-1]


def _visits(
    query: Query, visit: Callable, mine: list, title: str, size: int
) -> Iterator[tuple[dict, dict]]:
    """Findings and reasons of each batch of this process's images."""
    dataset, rows = query.images()
    by_row = {rows[i]: i for i in mine}
    stream = track(
        batches(dataset, list(by_row), size, query.num_workers),
        -(-len(mine) // size),
        f'round {query.round}: {title}',
        query.logger,
    )
    for batch in stream:
        good = [(by_row[r], item) for r, item in batch if not isinstance(item, Unreadable)]
        keys, items = map(list, zip(*good, strict=True)) if good else ([], [])
        yield (
            dict(zip(keys, visit(keys, items), strict=True)) if good else {},
            {by_row[r]: x.reason for r, x in batch if isinstance(x, Unreadable)},
        )


def _merged(ids: list, shards: PassCache, held: tuple[dict, dict]) -> tuple[dict, dict]:
    found, reasons = dict(held[0]), dict(held[1])
    for part, unreadable in shards.read():
        found.update(part)
        reasons.update(unreadable)
    if lost := [i for i in ids if i not in found and i not in reasons]:
        some = ', '.join(map(str, lost[:3])) + (', ...' if len(lost) > 3 else '')
        raise RuntimeError(
            f'Nothing is known of {len(lost)} of {len(ids)} images, expected a finding of each: {some}. '
            'Files of this pass were lost meanwhile; go on by --resume, which visits the images again.'
        )
    if len(reasons) >= MIN_IMAGES_TO_JUDGE and not found:
        raise RuntimeError(
            f'None of {len(reasons)} images could be loaded; the first says: '
            f'{next(iter(reasons.values()))}'
        )
    return {i: found[i] for i in ids if i in found}, reasons
