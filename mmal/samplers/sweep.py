"""One pass of a model over images of the pool, shared out among the processes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from mmengine import dist

from ..progress import track
from ..tasks.loading import Unreadable, batches
from .base import Query

FEW = 10
"""Fewer images than these may all be broken, at the end of a pool; more are a broken disk or pipeline."""


def sweep(query: Query, visit: Callable[[list, list], list], ids: list | None = None, title: str = 'scoring',
          batch_size: int | None = None,
          mode: Callable[[], AbstractContextManager] = nullcontext) -> tuple[dict, dict]:
    """Visit images in batches, each image by one process, and gather the findings of all processes.

    Args:
        query: Whose images.
        visit: Gets ids and dataset items of a batch, returns a finding for each; plain numbers or numpy arrays.
        ids: Which images. Defaults to None: all of the query's.
        title: For the progress line.
        batch_size: Images to a batch. Defaults to None: the query's.
        mode: Context around the visits. (A task's loss_mode hides the other processes, so it must not be around the
            sweep itself.) Defaults to none.

    Returns:
        Findings by id, in the order of ``ids``, and the reason by id of images that could not be loaded.

    Raises:
        RuntimeError: If ten images or more were asked for and no process could load any.
    """
    ids = query.ids if ids is None else ids
    mine, (dataset, rows) = ids[dist.get_rank()::dist.get_world_size()], query.images()
    by_row, size = {rows[i]: i for i in mine}, batch_size or query.batch_size
    found: dict[Any, Any] = {}
    unreadable: dict[Any, str] = {}
    stream = track(batches(dataset, list(by_row), size, query.num_workers), -(-len(mine) // size),
                   f'round {query.round}: {title}', query.logger)
    with mode():
        for batch in stream:
            unreadable.update({by_row[r]: x.reason for r, x in batch if isinstance(x, Unreadable)})
            good = [(by_row[r], item) for r, item in batch if not isinstance(item, Unreadable)]
            if good:
                keys, items = map(list, zip(*good, strict=True))
                found.update(zip(keys, visit(keys, items), strict=True))
    parts = dist.all_gather_object((found, unreadable))
    merged = {i: value for part, _ in parts for i, value in part.items()}
    reasons = {i: reason for _, part in parts for i, reason in part.items()}
    if len(reasons) >= FEW and not merged:
        raise RuntimeError(f'None of {len(reasons)} images could be loaded; the first says: '
                           f'{next(iter(reasons.values()))}')
    return {i: merged[i] for i in ids if i in merged}, reasons
