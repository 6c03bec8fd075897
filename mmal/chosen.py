"""What is known of each image a query chose: ``chosen.json``, for people who look at it or label it."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import is_main_process

from .artifacts import write_json
from .group import Group
from .progress import track
from .round import PHASES
from .samplers import Query
from .tasks.loading import Unreadable, batches


def describe(query: Query, selected: list, path: Path) -> None:
    """Write ``chosen.json``; every process calls it and looks at its share of the images, in whole batches.

    ``{"images": [{"id", "rank", "score", "predictions", "parts", "nearest"}, ...]}``, in rank order. ``score`` is that
    of ``scores.csv``, null where it is not finite; ``predictions`` are of :meth:`mmal.tasks.base.Task.predictions`,
    none for an image that cannot be read any more.

    Args:
        query: Of the round; images, model and loader are taken from it.
        selected: Ids in rank order.
        path: Of the file.
    """
    group = Group()
    with undisturbed():
        mine = group.share(selected, query.batch_size)
        seen = dict(pair for batch in _loaded(query, mine, 'chosen images') for pair in _look(query, batch))
    found = {i: entry for part in group.gather(seen) for i, entry in part.items()}
    scores = _scores(query.folder / PHASES['score'], len(selected))
    entries = [dict(id=i, rank=rank, score=score, **found.get(i, dict(predictions=[])), parts=None, nearest=None)
               for rank, (i, score) in enumerate(zip(selected, scores, strict=True))]
    if is_main_process():
        write_json(path, dict(images=entries), indent=None)


def _look(query: Query, batch: dict) -> list[tuple]:
    """Id and entry of each image."""
    predictions = query.task().predictions(list(batch.values()))
    return [(i, dict(predictions=p)) for i, p in zip(batch, predictions, strict=True)]


def _loaded(query: Query, ids: list, title: str) -> Iterator[dict]:
    """Items by id, a batch at a time; images that cannot be read are left out."""
    dataset, rows = query.images()
    of_row = {rows[i]: i for i in ids}
    stream = batches(dataset, list(of_row), query.batch_size, query.num_workers)
    for batch in track(stream, -(-len(of_row) // query.batch_size), f'round {query.round}: {title}', query.logger):
        items = {of_row[row]: item for row, item in batch if not isinstance(item, Unreadable)}
        if items:
            yield items


def _scores(path: Path, n: int) -> list[float | None]:
    """Scores of the n best, the selected; a file of millions is not read on."""
    with open(path, newline='', encoding='utf-8', errors='surrogateescape') as f:
        values = [float(row[1]) for row in islice(csv.reader(f), 1, n + 1)]
    return [v if math.isfinite(v) else None for v in values]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Whatever draws random numbers inside, generators are as before afterwards: nothing that follows depends on it."""
    states = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
