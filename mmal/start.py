"""What a run begins with: its pool and initial set, drawn anew or taken over from another run of the same seed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .artifacts import read_json, write_json
from .errors import InputError
from .pool import shuffled
from .round import RoundFolder
from .run_record import differences

OWN = ('train_cfg.sampler', 'train_cfg.start_from', 'custom_hooks')
"""Config keys that may differ between runs whose first models are the same; of hooks, StestHook alone."""


def begin(loop, record: dict, unreadable: dict) -> None:
    """Write what a new run begins with. Rank 0 calls it.

    Args:
        loop: The :class:`~mmal.loop.ActiveLoop`.
        record: See :mod:`mmal.run_record`.
        unreadable: Reason by id, of images to leave out.

    Raises:
        InputError: If too few images can be read, or the run in ``start_from`` does not fit.
    """
    if loop.start_from is None:
        _draw(loop, unreadable)
        return
    if not (Path(loop.start_from) / 'run.json').exists():
        raise InputError(f'train_cfg.start_from: {loop.start_from} holds no run. Start that one first, or remove '
                         'start_from.')
    found = [len(loop.data.read_labeled(Path(loop.start_from) / f'{n}.json')[0]) for n in ('initial', 'holdout')]
    if found != [loop.initial - loop.holdout, loop.holdout]:
        raise InputError(f'train_cfg.start_from: {loop.start_from} began with {found[0]} images and {found[1]} held '
                         f'out, this run would with {loop.initial - loop.holdout} and {loop.holdout}. Set '
                         'train_cfg.initial and holdout alike.')
    taken = adopt(loop.work_dir, loop.start_from, record)
    loop.runner.logger.info(f'Taken over from {loop.start_from}: {" and ".join(taken)}.')


def _draw(loop, unreadable: dict) -> None:
    """Write the pool, and draw the initial set and its part that is held out."""
    write_json(loop.work_dir / 'pool.json', loop.data.listing(), indent=None)
    loop.unreadable.write(unreadable)
    candidates = loop.unreadable.without([i['id'] for i in loop.data.images])
    first = shuffled(candidates, loop.seed, 'initial')[:loop.initial]
    if len(first) < loop.initial:
        raise InputError(f'Only {len(first)} images of the pool can be read, fewer than train_cfg.initial = '
                         f'{loop.initial}; see {loop.work_dir}/unreadable.json. If your loader reads files '
                         'that Pillow does not, set train_cfg.check_images=False.')
    for name, part in (('holdout', first[:loop.holdout]), ('initial', first[loop.holdout:])):
        (loop.work_dir / f'{name}.json').unlink(missing_ok=True)  # of an attempt that never began
        if part:
            write_json(loop.work_dir / f'{name}.json', loop.data.labeled(part, loop.oracle.label(part)), indent=None)


def adopt(work_dir: str | Path, source: str | Path, record: dict) -> list[str]:
    """Copy from ``source`` into a new run what both have in common; nothing is trained or drawn again.

    Args:
        work_dir: Of the new run.
        source: Work_dir of the other run.
        record: Of the new run, see :mod:`mmal.run_record`.

    Returns:
        What was taken over, in words.

    Raises:
        InputError: If the other run has another pool or seed.
    """
    work_dir, source = Path(work_dir), Path(source)
    theirs = read_json(source / 'run.json')
    if (theirs['seed'], theirs['pool']) != (record['seed'], record['pool']):
        raise InputError(f'train_cfg.start_from: {source} has another seed or pool ({theirs["seed"]}, '
                         f'{theirs["pool"]}) than this run ({record["seed"]}, {record["pool"]}).')
    for name in ('pool.json', 'unreadable.json', 'initial.json', 'holdout.json'):
        (work_dir / name).unlink(missing_ok=True)
        if (source / name).exists():
            _link(source / name, work_dir / name)
    taken, first = ['the initial set'], RoundFolder(source, 0)
    if first.done('evaluate') and _same_training(theirs, record):
        target = RoundFolder(work_dir, 0)
        for phase in ('train', 'evaluate'):
            _link(first.artifact(phase), target.artifact(phase))
        write_json(target.path / 'phases.json', {p: first.record[p] for p in ('train', 'evaluate')})
        taken.append('the first trained model')
    return taken


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
