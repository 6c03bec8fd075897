"""Batches of the sets beside the pool, for evaluation and reference: people label them before the first training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmal.annotation.batch import FOLDER, NAME, Batch
from mmal.annotation.label_store import ANNOTATIONS, LabelStore
from mmal.annotation.label_store import NAME as LABELS
from mmal.oracles.base import LabelsPending, OracleResponse, Request
from mmal.run.layout import OF_THE_RUN

REFERENCE, EVALUATION = 'reference set', 'evaluation set'
"""What the sets beside the pool are called."""


def uses_separate_reference(loop) -> bool:
    """Whether a reference set is needed that is no part of what the run has labeled."""
    hook = loop.stest_hook
    return (
        loop.sampler.needs_s_test
        and hook is not None
        and hook.reference not in (*OF_THE_RUN, 'labeled')
    )


def unlabeled_batches(loop) -> dict[str, list[Path]]:
    """Folders of batches that a set beside the pool is made from and that lack labels, by what the set is called."""
    found = {
        name: [f for f in dict.fromkeys(_folders(cfg)) if _lacks_labels(f)]
        for name, cfg in _sets(loop).items()
    }
    return {name: folders for name, folders in found.items() if folders}


def _sets(loop) -> dict[str, Any]:
    """Dataset configs of the sets beside the pool, by what they are called."""
    val, test = (loop.runner.cfg.get(f'{name}_dataloader') for name in ('val', 'test'))
    sets = {EVALUATION: (test or val or {}).get('dataset')}
    if uses_separate_reference(loop):
        reference = loop.stest_hook.reference
        sets[REFERENCE] = (val or {}).get('dataset') if reference == 'val' else reference
    return sets


def _folders(cfg: Any) -> Iterator[Path]:
    """Folders of the annotation files that imports write, of a dataset and those inside it."""
    if isinstance(cfg, dict):
        if isinstance(file := cfg.get('ann_file'), str) and os.path.basename(file) == ANNOTATIONS:
            yield Path(cfg.get('data_root') or '', file).parent
        cfg = list(cfg.values())
    for part in cfg if isinstance(cfg, (list, tuple)) else ():
        yield from _folders(part)


def _lacks_labels(folder: Path) -> bool:
    """Whether people are still to label images there; an annotation file that came in another way is left as it is."""
    if not (folder / FOLDER / NAME).exists() or (
        (folder / ANNOTATIONS).exists() and not (folder / LABELS).exists()
    ):
        return False
    return bool(LabelStore.read(folder).missing(Batch.read(folder)))


def label_with_auxiliary_sets(loop, first: Request) -> OracleResponse:
    """What the oracle answers to the first request of a run; people label the sets beside the pool at the same time.

    Args:
        loop: The :class:`~mmal.engine.active_loop.ActiveLoop`.
        first: For the images to begin with.

    Raises:
        LabelsPending: If labels of any of them are still to come.
    """
    oracle = loop.oracle
    folders = (
        {folder for some in unlabeled_batches(loop).values() for folder in some}
        if oracle.is_human
        else ()
    )
    others = [_request(folder) for folder in sorted(folders)]
    for request in others:  # all are there to be labeled before one is waited for
        with suppress(LabelsPending):
            oracle.answer(replace(request, wait=False))
    answers, waiting = [], []
    for request in (first, *others):
        try:
            answers.append(oracle.answer(request))
        except LabelsPending as e:
            waiting.append(str(e))
    if waiting:
        raise LabelsPending(' '.join(waiting))
    return answers[0]


def _request(folder: Path) -> Request:
    batch = Batch.read(folder)
    return Request([image.id for image in batch.images], folder, lambda: batch)
