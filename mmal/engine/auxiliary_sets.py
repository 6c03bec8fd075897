"""The sets beside the pool, for evaluation and reference: which there are, and those that people
still have to label.
"""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmal.annotation.batch import Batch, batch_file
from mmal.annotation.label_store import ANNOTATIONS, LabelStore, labels_file
from mmal.errors import MissingFileError
from mmal.oracles.base import LabelsPending, Oracle, OracleResponse, Request
from mmal.run.overlap import EVALUATION, REFERENCE

from .context import RunContext
from .evaluator_files import check_evaluator_files

if TYPE_CHECKING:
    from .stest import StestSettings

_KEPT_BY_RUN = ('initial', 'holdout', 'labeled')


def separate_reference(
    needs_s_test: bool, stest: StestSettings | None
) -> str | dict[str, Any] | None:
    """The reference set, if one is needed that is no part of what the run has labeled.

    Args:
        needs_s_test: Whether the sampler needs s_test.
        stest: How s_test is computed; None if the config has no StestHook.

    Returns:
        'val' or a dataset config; None if there is no such set.
    """
    if not needs_s_test or stest is None or stest.reference in _KEPT_BY_RUN:
        return None
    return stest.reference


def build_auxiliary_sets(run: RunContext, exclude: Container[str] = ()) -> dict[str, Any]:
    """Build the datasets beside the pool: the evaluation set and, if it is not the run's own, the
    reference set.

    Args:
        run: The run.
        exclude: Names of sets that are not built. Defaults to none.

    Returns:
        The datasets by what they are called.

    Raises:
        InputError: If one lacks a file it is made from.
    """
    sets = {}
    reference = separate_reference(run.sampler.needs_s_test, run.stest)
    if reference is not None and REFERENCE not in exclude:
        sets[REFERENCE] = run.data.reference_dataset(reference)
    if EVALUATION in exclude:
        return sets
    for key in ('val_dataloader', 'test_dataloader'):
        # Both are built, the one between epochs.
        if run.cfg.get(key) is not None:
            run.data.check_annotation_files(run.cfg[key].dataset)
    try:
        evaluation = run.models.evaluation_dataset()
    except FileNotFoundError as e:
        hint = _labeling_hint(e.filename)
        raise MissingFileError(f'Evaluation: file not found: {e.filename or e}.{hint}') from None
    if evaluation is not None:
        sets[EVALUATION] = evaluation
    return sets


def _labeling_hint(file: str | None) -> str:
    """What to do if the labels of the batch beside a missing file are still to come; '' if there is
    none.
    """
    folder = Path(file or '').parent
    batch = batch_file(folder)
    if not batch.exists():
        return ''
    command = f'python tools/al_labels.py {folder} FILE'
    return f' Label {batch.parent} and bring the labels in by `{command}`.'


def available_auxiliary_sets(run: RunContext) -> dict[str, Any]:
    """Build the datasets beside the pool, without those whose labels are still to come.

    Args:
        run: The run.

    Returns:
        The datasets by what they are called.

    Raises:
        InputError: If one lacks a file it is made from, unless people label the initial set, too;
            or if a metric reads another annotation file than its dataset.
    """
    check_evaluator_files(run.cfg)
    if not run.oracle.is_human or run.paths.initial.exists():
        return build_auxiliary_sets(run)
    pending = unlabeled_batches(run.cfg, run.sampler.needs_s_test, run.stest)
    try:
        return build_auxiliary_sets(run, exclude=pending)
    except MissingFileError as e:
        run.log.warning(f'{e} It is needed as soon as the first images are labeled.')
        return {}


def unlabeled_batches(
    cfg: Any, needs_s_test: bool, stest: StestSettings | None
) -> dict[str, list[Path]]:
    """Batches that a set beside the pool is made from and that lack labels.

    Args:
        cfg: Config of the run.
        needs_s_test: Whether the sampler needs s_test.
        stest: How s_test is computed; None if the config has no StestHook.

    Returns:
        Folders of the batches, by what the set is called; only sets that lack labels.
    """
    pending = {}
    for name, dataset in _dataset_cfgs(cfg, needs_s_test, stest).items():
        folders = [folder for folder in _batch_folders(dataset) if _lacks_labels(folder)]
        if folders:
            pending[name] = folders
    return pending


def _dataset_cfgs(cfg: Any, needs_s_test: bool, stest: StestSettings | None) -> dict[str, Any]:
    """Dataset configs of the sets beside the pool, by what they are called."""
    val = cfg.get('val_dataloader') or {}
    evaluation = cfg.get('test_dataloader') or val
    sets = {EVALUATION: evaluation.get('dataset')}
    reference = separate_reference(needs_s_test, stest)
    if reference is not None:
        sets[REFERENCE] = val.get('dataset') if reference == 'val' else reference
    return sets


def _batch_folders(dataset: Any) -> list[Path]:
    """Folders of annotation files that imports write, of a dataset config and those inside it."""
    folders = []
    parts = []
    if isinstance(dataset, Mapping):
        file = dataset.get('ann_file')
        if isinstance(file, str) and os.path.basename(file) == ANNOTATIONS:
            folders.append(Path(dataset.get('data_root') or '', file).parent)
        parts = list(dataset.values())
    elif isinstance(dataset, (list, tuple)):
        parts = list(dataset)
    for part in parts:
        folders += _batch_folders(part)
    return list(dict.fromkeys(folders))


def _lacks_labels(folder: Path) -> bool:
    """Whether people still have to label images there.

    An annotation file of one's own is left as it is.
    """
    if not batch_file(folder).exists():
        return False
    if (folder / ANNOTATIONS).exists() and not labels_file(folder).exists():
        return False
    return bool(LabelStore.read(folder).missing(Batch.read(folder)))


def label_with_auxiliary_sets(
    oracle: Oracle, initial: Request, pending: Mapping[str, list[Path]]
) -> OracleResponse:
    """Have the initial set labeled. People label the sets beside the pool at the same time.

    Args:
        oracle: The oracle.
        initial: The request for the initial set.
        pending: Folders of batches of other sets that lack labels, from :func:`unlabeled_batches`.

    Returns:
        The labels of the initial set.

    Raises:
        LabelsPending: If labels of any of the sets are still to come.
    """
    others = _requests(pending)
    # All are there to be labeled before one is waited for.
    for request in others:
        with suppress(LabelsPending):
            oracle.answer(replace(request, wait=False))
    responses = []
    messages = []
    for request in (initial, *others):
        try:
            responses.append(oracle.answer(request))
        except LabelsPending as e:
            messages.append(str(e))
    if messages:
        raise LabelsPending(' '.join(messages))
    return responses[0]


def label_auxiliary_sets(oracle: Oracle, pending: Mapping[str, list[Path]]) -> None:
    """Have people label the sets beside the pool, where the initial set has its labels already.

    Args:
        oracle: The oracle.
        pending: Folders of batches that lack labels, from :func:`unlabeled_batches`.

    Raises:
        LabelsPending: If labels of any of the sets are still to come.
    """
    messages = []
    for request in _requests(pending):
        try:
            oracle.answer(request)
        except LabelsPending as e:
            messages.append(str(e))
    if messages:
        raise LabelsPending(' '.join(messages))


def _requests(pending: Mapping[str, list[Path]]) -> list[Request]:
    folders: set[Path] = set()
    for batch_folders in pending.values():
        folders.update(batch_folders)
    return [_request(folder) for folder in sorted(folders)]


def _request(folder: Path) -> Request:
    batch = Batch.read(folder)
    ids = [image.id for image in batch.images]
    return Request(ids, folder, lambda: batch)
