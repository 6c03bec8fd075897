"""What a run begins with: its pool and initial set, drawn anew or taken over from another run of the same seed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.engine.phases.label import label_initial_set
from mmal.errors import InputError
from mmal.fileio.atomic import remove_partial_files
from mmal.fileio.checksummed import read_checksummed, write_checksummed
from mmal.fileio.text import write_json
from mmal.run.annotation_manifest import annotation_digests
from mmal.run.image_manifest import (
    require_others_unchanged,
    require_pool_unchanged,
    write_others,
    write_pool_images,
)
from mmal.run.layout import INITIAL
from mmal.run.lock import lock
from mmal.run.manifest import NAME as RUN
from mmal.run.manifest import (
    back_up_manifest,
    check,
    differences,
    has_initial_labels,
    holds_run,
    record_initial_labels,
    updated_manifest,
    write_manifest,
)
from mmal.run.recovery import roll_back, verify_run
from mmal.run.round_state import RoundState, clear_unfinished
from mmal.utils.collect_env import collect_env
from mmal.utils.image_files import check_images, file_identity

from .image_checks import check_pool_images, identify_readable
from .initial_set import check_pool_size, draw_initial_set, first_images
from .preflight import preflight

OWN = ('train_cfg.sampler', 'train_cfg.start_from', 'custom_hooks')
"""Config keys that may differ between runs whose first models are the same; of hooks, StestHook alone."""


def open_run(loop) -> None:
    """Open the work_dir of a loop: go on with the run in it, or begin one.

    Args:
        loop: The :class:`~mmal.engine.active_loop.ActiveLoop`.

    Raises:
        InputError: If the run cannot work, or the work_dir is in use, damaged, or another run's.
    """
    sets = preflight(loop)
    others = _files(loop, sets)
    record = (
        loop.record()
        | run_on_rank_zero(lambda: annotation_digests(loop, sets))
        | dict(environment=collect_env())
    )
    resuming = run_on_rank_zero(lambda: _reopen(loop, record, others))
    fresh = not resuming and loop.start_from is None
    described = identify_readable(others, loop.runner.logger) if loop.check_images and fresh else {}
    found = (
        check_pool_images(loop.data, loop.runner.logger)
        if loop.check_images and fresh
        else ({}, {})
    )

    def begin() -> None:
        if not resuming:
            _begin(loop, *found, record)
            write_manifest(loop.work_dir, record)
        if loop.start_from is not None:
            _adopt_model(loop, record)

    run_on_rank_zero(begin)
    if not run_on_rank_zero(lambda: has_initial_labels(loop.work_dir)):
        ids, held = first_images(loop)
        run_on_rank_zero(lambda: label_initial_set(loop, ids, held))
        if loop.oracle.is_human:
            sets = preflight(loop)  # what could wait until there were labels
        _claim_first(loop, sets, described)
    run_on_rank_zero(lambda: clear_unfinished(loop.work_dir / INITIAL))


def _claim_first(loop, sets: dict, described: dict[str, dict]) -> None:
    """Note what the first model is trained on, and what the sets beside the pool are: all is labeled now.

    Args:
        loop: The :class:`~mmal.engine.active_loop.ActiveLoop`.
        sets: The datasets beside the pool, by what they are called.
        described: What was found of their images at the start, when some may have had no labels yet.
    """
    others = _files(loop, sets)
    if loop.check_images and any(
        set(files) - set(described.get(name, ())) for name, files in others.items()
    ):
        described = identify_readable(others, loop.runner.logger)

    def claim_all() -> None:
        if described:
            write_others(loop.work_dir, described)
        record_initial_labels(
            loop.work_dir, annotation_digests(loop, sets) if loop.oracle.is_human else None
        )  # else noted before

    run_on_rank_zero(claim_all)


def _files(loop, sets: dict) -> dict[str, list[str]]:
    """Image files of the sets beside the pool, by what they are called."""
    found = {name: loop.data.files(dataset) for name, dataset in sets.items()}
    return {name: files for name, files in found.items() if files}


def _reopen(loop, record: dict, others: dict[str, list[str]]) -> bool:
    """Whether the work_dir holds this very run, whole; what is not may be restored."""
    work_dir, logger, resume = (
        loop.work_dir,
        loop.runner.logger,
        loop.runner.cfg.get('resume', False),
    )
    lock(work_dir, logger.info)
    for folder in (work_dir, *work_dir.glob('round_*')):
        remove_partial_files(folder)
    if resume and loop.on_corruption == 'restore' and holds_run(work_dir, resume):
        roll_back(work_dir, logger, lambda: _begin_again(loop, record, others))
    if not check(
        work_dir,
        record,
        resume,
        loop.allow_config_change,
        loop.data.pool_contents() if resume else None,
    ):
        return False
    verify_run(work_dir, logger)
    if loop.data.is_local:
        require_pool_unchanged(
            work_dir, {str(i['id']): loop.data.image_path(i['id']) for i in loop.data.images}
        )
    require_others_unchanged(work_dir, others)
    new, changes, elsewhere = updated_manifest(work_dir, record)
    for folder in (work_dir / INITIAL, *work_dir.glob('round_*')) if changes else ():
        clear_unfinished(folder)  # the rest of a training or of a pass would be another's
    if new != read_checksummed(work_dir / RUN):
        write_checksummed(work_dir / RUN, new)
    if changes:
        logger.warning(
            'Going on with other settings, as asked; they are noted in run.json: '
            + '; '.join(changes)
        )
    if elsewhere:
        logger.warning(
            'Going on in another environment, in which the last digits of sums, and with them trainings, '
            f'may differ; noted in run.json: {"; ".join(elsewhere)}. OMP_NUM_THREADS sets threads.'
        )
    return True


def _begin_again(loop, record: dict, others: dict[str, list[str]]) -> None:
    """Write what the run began with a second time."""
    paths = {i['id']: loop.data.image_path(i['id']) for i in loop.data.images}
    known = loop.check_images and loop.data.is_local
    checks = check_images(paths, loop.runner.logger) if known else {}
    reasons = {i: c.reason for i, c in checks.items() if c.reason}
    descriptions = {i: c.identity for i, c in checks.items()}
    described = (
        {name: {f: file_identity(f) for f in files} for name, files in others.items()}
        if known
        else {}
    )
    _begin(loop, reasons, descriptions, record)
    if loop.start_from is None:
        if described:
            write_others(loop.work_dir, described)
        label_initial_set(loop, *draw_initial_set(loop))


def _begin(loop, unreadable: dict, descriptions: dict, record: dict) -> None:
    """Write what a new run begins with."""
    if loop.start_from is None:
        if descriptions:
            write_pool_images(loop.work_dir, descriptions)
        write_json(loop.work_dir / 'pool.json', loop.data.pool_contents(), indent=None)
        loop.unreadable.write(unreadable)
        check_pool_size(loop)
        return
    source = Path(loop.start_from)
    _require_fit(loop, source, record)
    for name in (
        'pool.json',
        'unreadable.json',
        'initial.json',
        'holdout.json',
        'images.csv',
        'other_images.csv',
    ):
        (loop.work_dir / name).unlink(missing_ok=True)
        if (source / name).exists():
            _link(source / name, loop.work_dir / name)
    loop.runner.logger.info(f'Taken over from {source}: the initial set.')


def _require_fit(loop, source: Path, record: dict) -> None:
    """InputError if what the run in ``source`` began with is not what this run would begin with."""
    if not (source / RUN).exists():
        raise InputError(
            f'train_cfg.start_from: {source} holds no run. Start that one first, or remove start_from.'
        )
    if not has_initial_labels(source):
        raise InputError(
            f'train_cfg.start_from: {source} was ended before it had its first images. Go on with that '
            'one first, or remove start_from.'
        )
    found = [len(loop.data.read_labeled(source / f'{n}.json')[0]) for n in ('initial', 'holdout')]
    if found != [loop.initial - loop.holdout, loop.holdout]:
        raise InputError(
            f'train_cfg.start_from: {source} began with {found[0]} images and {found[1]} held out, this '
            f'run would with {loop.initial - loop.holdout} and {loop.holdout}. Set train_cfg.initial and '
            'holdout alike.'
        )
    theirs = read_checksummed(source / RUN)
    labels = [r.get('annotations', {}).get('pool') for r in (theirs, record)]
    if None not in labels and labels[0] != labels[1]:
        raise InputError(
            f'train_cfg.start_from: the annotations of the pool have changed since {source} was begun '
            f'(were {labels[0]}, are {labels[1]}). Put the old file back, or start that run anew.'
        )
    if (theirs['seed'], theirs['pool']) != (record['seed'], record['pool']):
        raise InputError(
            f'train_cfg.start_from: {source} has another seed or pool ({theirs["seed"]}, '
            f'{theirs["pool"]}) than this run ({record["seed"]}, {record["pool"]}).'
        )


def _adopt_model(loop, record: dict) -> None:
    """Link the first model of the run in ``start_from``, if its training was the same and ours is yet to come."""
    first, target = RoundState(loop.start_from, 0), RoundState(loop.work_dir, 0)
    theirs = read_checksummed(Path(loop.start_from) / RUN)
    if (
        target.record
        or not first.done('evaluate')
        or first.faults()
        or not _same_training(theirs, record)
    ):
        return
    back_up_manifest(loop.work_dir, target.path)
    target.create_record()
    for phase in ('train', 'evaluate'):
        _link(first.artifact(phase), target.artifact(phase))
    target.record = {p: first.record[p] for p in ('train', 'evaluate')}
    target.write()
    loop.runner.logger.info(f'Taken over from {loop.start_from}: the first trained model.')


def _same_training(theirs: dict, ours: dict) -> bool:
    lines = differences(theirs, ours)
    return all(line.strip().startswith(OWN) for line in lines) and _hooks(theirs) == _hooks(ours)


def _hooks(record: dict) -> list[list]:
    """Settings of the hooks that take part in training, whatever their number in the list."""
    hooks: dict[str, dict] = {}
    for key, value in record['config'].items():
        if key.startswith('custom_hooks.'):
            _, number, name = key.split('.', 2)
            hooks.setdefault(number, {})[name] = value
    return sorted(sorted(h.items()) for h in hooks.values() if 'StestHook' not in h.get('type', ''))


def _link(source: Path, target: Path) -> None:
    """A hard link where the file system allows it: files are replaced, never written into."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
