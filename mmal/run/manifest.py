"""What makes a run this run: its record in ``run.json``, compared on resume."""

from __future__ import annotations

import fnmatch
import os
import time
from pathlib import Path

from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import (
    CorruptStateError,
    digest_file,
    read_checksummed,
    write_checksummed,
)
from mmal.run import batch_checksums
from mmal.utils.config import flat, moved_paths

from .image_manifest import pool_change
from .layout import INITIAL

NAME = 'run.json'
BEGINNING = ('pool.json', 'images.csv', 'other_images.csv', 'initial.json', 'holdout.json')
"""What a run begins with, and never changes."""

RECOVERY_HINT = (
    'Put back a whole copy, or go back to the last state that is whole by --resume verified.'
)

RESULT_NEUTRAL_KEYS = [
    'work_dir',
    'resume',
    'launcher',
    'log_level',
    'log_processor*',
    'visualizer*',
    'vis_backends*',
    'env_cfg*',
    *(
        f'default_hooks.{name}*'
        for name in ('checkpoint', 'logger', 'runtime_info', 'timer', 'visualization')
    ),
    'experiment_name',
    '*num_workers',
    '*persistent_workers',
    '*pin_memory',
    '*prefetch_factor',
    'filename',
    'train_cfg.rounds',
    'train_cfg.start_from',
    'train_cfg.on_corruption',
    'train_cfg.allow_config_change',
    'train_cfg.stop*',
    'train_cfg.oracle.partial',
    'train_cfg.oracle.url',
    'train_cfg.oracle.wait',
    'train_cfg.oracle.poll',
    'train_cfg.oracle.storage',
    'train_cfg.oracle.project',
    'train_cfg.oracle.clip',
    'train_cfg.oracle.chunk',
    'train_cfg.oracle.timeout',
    'model_wrapper_cfg*',
    'data_root',
    'randomness*',
    'custom_imports*',
    'unsafe_checkpoints',
]
"""Config keys that a resumed run may change: where and how it runs, and when it stops. (More processes make larger
batches of trainings to come, as in mmdet; loader workers change nothing.) Seeds are compared by themselves.
"""

IMPLICIT_DEFAULTS = {
    'default_hooks.param_scheduler.type': 'ParamSchedulerHook',
    'default_hooks.sampler_seed.type': 'DistSamplerSeedHook',
}
"""What mmengine does without being told, too: the same as absent."""


def build_manifest(cfg, seed: int, pool_digest: str, pool_size: int) -> dict:
    """Everything a result depends on, and the folder of the config file, for :func:`claim`."""
    off = {
        f'default_hooks.{name}': 'None'
        for name, hook in (cfg.get('default_hooks') or {}).items()
        if hook is None
    }
    keys = {
        k: v
        for k, v in {**flat(cfg.to_dict()), **off}.items()
        if not any(fnmatch.fnmatch(k, b) for b in RESULT_NEUTRAL_KEYS)
        and (k not in IMPLICIT_DEFAULTS or IMPLICIT_DEFAULTS[k] != v.strip("'").split('.')[-1])
    }
    folder = (
        os.path.dirname(os.path.abspath(os.path.expanduser(cfg.filename))) if cfg.filename else None
    )
    return dict(
        seed=seed, pool=dict(images=pool_size, sha256=pool_digest), config=keys, folder=folder
    )


def differences(old: dict, new: dict) -> list[str]:
    """Lines that name each key that differs, with both values; annotations count if both records tell of the set."""
    noted = [r.get('annotations', {}) for r in (old, new)]
    old, new = (
        {
            **flat({k: r[k] for k in ('seed', 'pool')}),
            **r['config'],
            **{f'annotations.{name}': repr(n[name]) for name in noted[0].keys() & noted[1].keys()},
        }
        for r, n in zip((old, new), noted, strict=True)
    )
    return [f'  {line}' for line in _was_and_now(old, new)]


def _was_and_now(old: dict[str, str], new: dict[str, str]) -> list[str]:
    return [
        f'{key}: was {old.get(key, "absent")}, now {new.get(key, "absent")}'
        for key in sorted(set(old) | set(new))
        if old.get(key) != new.get(key)
    ]


def _read(work_dir: str | Path, record: dict) -> dict:
    """The record in ``work_dir``, its paths as they are now if the project was moved.

    A project is a config's folder with the work_dir in it: they move as one, and a path in that folder is the same file
    as long as it is at the same place in the folder. Of a work_dir elsewhere, nothing tells a move from other data.
    """
    old = read_checksummed(Path(work_dir) / NAME)
    was, now = old.get('folder'), record.get('folder')
    if not was or not now or not Path(os.path.abspath(work_dir)).is_relative_to(now):
        return old
    moved = {k: moved_paths(v, was, now) for k, v in old['config'].items()}
    kept = record['config'].items()  # a path that was not moved along
    return dict(old, config={**moved, **{k: v for k, v in kept if old['config'].get(k) == v}})


def holds_run(work_dir: str | Path, resume: bool) -> bool:
    """Whether ``work_dir`` holds some run.

    Raises:
        InputError: If it does and ``resume`` was not asked for.
    """
    work_dir = Path(work_dir)
    rounds = (
        work_dir.glob(f'round_*/{name}') for name in (NAME, 'phases.json')
    )  # run.json may be lost
    holds = (work_dir / NAME).exists() or any(map(any, rounds))
    if holds and not resume:
        raise InputError(
            f'{work_dir} holds a run already. Go on with it by --resume, or choose another --work-dir.'
        )
    return holds


def check(
    work_dir: str | Path,
    record: dict,
    resume: bool,
    allow_change: bool = False,
    listing: dict | list | None = None,
) -> bool:
    """Whether ``work_dir`` holds this very run already.

    Args:
        work_dir: Of the run.
        record: Of the run that is to go on.
        resume: Whether to go on with what is there.
        allow_change: Let settings differ; the change is added to the record's ``history``. Never the pool.
        listing: The pool of now, as in ``pool.json``, so that an error can name its images. Defaults to None.

    Raises:
        InputError: If it holds a run and ``resume`` was not asked for, or another run than this.
        CorruptStateError: If its record is not what was written.
    """
    if not holds_run(work_dir, resume):
        return False
    try:
        old = _read(work_dir, record)
    except CorruptStateError as e:
        raise CorruptStateError(f'{e} {RECOVERY_HINT}') from None
    changed = differences(old, record)
    if not changed:
        return True
    shown = '\n'.join(changed[:20] + (['  ...'] if len(changed) > 20 else []))
    if listing is not None and old['pool'] != record['pool']:
        shown = '\n'.join(filter(None, (shown, pool_change(work_dir, listing))))
    if not allow_change or old['pool'] != record['pool']:
        cure = (
            'or --allow-config-change to go on with the new ones, '
            if old['pool'] == record['pool']
            else ''
        )
        raise InputError(
            f'Cannot resume {work_dir}: it was started with other settings.\n{shown}\n'
            f'Set them back, {cure}or start anew in another --work-dir.'
        )
    return True


def updated_manifest(work_dir: str | Path, record: dict) -> tuple[dict, list[str], list[str]]:
    """The record of ``work_dir`` with the settings and paths of ``record``; what differs of the settings, and of the
    environment. Both are noted in its history.
    """
    changes = [line.strip() for line in differences(_read(work_dir, record), record)]
    old = read_checksummed(Path(work_dir) / NAME)
    was, now = (
        {f'environment.{k}': v for k, v in r.get('environment', {}).items()} for r in (old, record)
    )
    elsewhere = _was_and_now(was, now) if was else []  # an older version's record does not tell
    if not changes and not elsewhere:
        return dict(old, **record), [], []
    closed = len(list(Path(work_dir).glob('round_*/labeled.json')))
    entry = dict(
        time=time.strftime('%Y-%m-%d %H:%M:%S'), rounds_closed=closed, changes=changes + elsewhere
    )
    return dict(old, **record, history=[*old.get('history', []), entry]), changes, elsewhere


def back_up_manifest(work_dir: str | Path, folder: str | Path) -> None:
    """Have the record as it is in a round's folder, too, in case it is lost."""
    content, copy = (Path(work_dir) / NAME).read_bytes(), Path(folder) / NAME
    if not copy.exists() or copy.read_bytes() != content:
        write_bytes(copy, content)


def write_manifest(work_dir: str | Path, record: dict) -> None:
    """Mark ``work_dir`` as this run's, and note the checksums of what it begins with."""
    write_checksummed(Path(work_dir) / NAME, dict(record, files=_beginning(work_dir)))


def record_initial_labels(work_dir: str | Path, annotations: dict | None = None) -> None:
    """Note the checksums again, now that the first images are labeled, and those of the batch that people labeled.

    Args:
        work_dir: Of the run.
        annotations: What :func:`~mmal.run.annotation_manifest.annotations` said. Defaults to None: nothing.
    """
    work_dir = Path(work_dir)
    write_checksummed(
        work_dir / NAME,
        dict(
            read_checksummed(work_dir / NAME),
            **(annotations or {}),
            files=_beginning(work_dir),
            batch=batch_checksums.record_checksums(work_dir / INITIAL),
        ),
    )


def _beginning(work_dir: str | Path) -> dict[str, str]:
    return {
        name: digest_file(path) for name in BEGINNING if (path := Path(work_dir) / name).exists()
    }


def has_initial_labels(work_dir: str | Path) -> bool:
    """Whether the first images are labeled, and that is on record."""
    files = read_checksummed(Path(work_dir) / NAME).get('files')
    return (Path(work_dir) / 'initial.json').exists() and (files is None or 'initial.json' in files)
