"""What makes a run this run: its manifest ``run.json``, compared on resume."""

from __future__ import annotations

import fnmatch
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, cast

from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import (
    CorruptStateError,
    digest_file,
    read_checksummed,
    write_checksummed,
)
from mmal.utils.config import flat, moved_paths

from .batch_checksums import record_checksums
from .image_manifest import PoolChange, pool_change
from .layout import RunPaths
from .overlap import PoolOverlap, SetOverlap

RECOVERY_HINT = (
    'Put back a whole copy, or go back to the last state that is whole by --resume verified.'
)

RESULT_NEUTRAL_KEYS = (
    'work_dir',
    'resume',
    'launcher',
    'log_level',
    'log_processor*',
    'visualizer*',
    'vis_backends*',
    'env_cfg*',
    'default_hooks.checkpoint*',
    'default_hooks.logger*',
    'default_hooks.runtime_info*',
    'default_hooks.timer*',
    'default_hooks.visualization*',
    'experiment_name',
    '*num_workers',
    '*persistent_workers',
    '*pin_memory',
    '*prefetch_factor',
    'filename',
    'model_wrapper_cfg*',
    'data_root',
    'randomness*',
    'custom_imports*',
    'unsafe_checkpoints',
)
"""Config keys that a resumed run may change: they say where and how it runs.

What a component's own arguments may change, its class declares as ``result_neutral``. More
processes make larger batches of trainings to come, as in mmdet; loader workers change nothing.
Seeds are compared by themselves.
"""

IMPLICIT_DEFAULTS = {
    'default_hooks.param_scheduler.type': 'ParamSchedulerHook',
    'default_hooks.sampler_seed.type': 'DistSamplerSeedHook',
}
"""What mmengine does without being told, too. To spell it out is the same as to leave it out."""

MAX_SHOWN_DIFFERENCES = 20

_POOL_KEYS = ('pool.', 'annotations.pool:')


class PoolRecord(TypedDict):
    """What is recorded of the pool.

    Attributes:
        images: Number of images.
        sha256: Checksum of their ids and file names.
    """

    images: int
    sha256: str


class HistoryEntry(TypedDict):
    """A resumption with other settings or in another environment.

    Attributes:
        time: Local time.
        rounds_closed: Number of rounds whose chosen images were labeled.
        changes: One line per key that differed, with both values.
    """

    time: str
    rounds_closed: int
    changes: list[str]


class Manifest(TypedDict, total=False):
    """Content of ``run.json``.

    Attributes:
        seed: Seed of the run.
        pool: The pool.
        config: Every setting that a result depends on, as text by dotted key.
        folder: Folder of the config file; None if there is no file.
        environment: Versions of libraries, device and threads.
        annotations: Checksums of the annotations, by what a set is called.
        checkpoint: Checksum of the trained model that the first round takes, if one is given.
        files: Checksums of the files that the run began with, by name.
        batch: Checksums of the files of the initial batch, by name.
        history: Resumptions with other settings.
        given_labels: Where the labels come from that existed before the run; absent if the initial
            set was labeled for it.
        cold_start: How the initial set was chosen, in words; absent if its labels existed before.
        overlap: What the reference set and the evaluation set have in common; absent where they
            cannot be compared.
        pool_overlaps: What the pool and each of them have in common; absent where they are apart.
    """

    seed: int
    pool: PoolRecord
    config: dict[str, str]
    folder: str | None
    environment: dict[str, Any]
    annotations: dict[str, str]
    checkpoint: str
    files: dict[str, str]
    batch: dict[str, str]
    history: list[HistoryEntry]
    given_labels: str
    cold_start: str
    overlap: SetOverlap
    pool_overlaps: list[PoolOverlap]


def build_manifest(
    cfg: Any, seed: int, pool_digest: str, pool_size: int, result_neutral: Iterable[str] = ()
) -> Manifest:
    """The manifest of a run that is to begin or to resume.

    Args:
        cfg: Config of the run.
        seed: Seed of the run.
        pool_digest: Checksum of the pool's ids and file names.
        pool_size: Number of images in the pool.
        result_neutral: Patterns of config keys that cannot change the result, beside
            :data:`RESULT_NEUTRAL_KEYS`. Defaults to none.
    """
    settings = flat(cfg.to_dict())
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if hook is None:
            settings[f'default_hooks.{name}'] = 'None'
    neutral = (*RESULT_NEUTRAL_KEYS, *result_neutral)
    kept = {}
    for key, value in settings.items():
        is_neutral = any(fnmatch.fnmatch(key, pattern) for pattern in neutral)
        if not is_neutral and not _is_implicit_default(key, value):
            kept[key] = value
    folder = None
    if cfg.filename:
        folder = os.path.dirname(os.path.abspath(os.path.expanduser(cfg.filename)))
    pool = PoolRecord(images=pool_size, sha256=pool_digest)
    return Manifest(seed=seed, pool=pool, config=kept, folder=folder)


def _is_implicit_default(key: str, value: str) -> bool:
    default = IMPLICIT_DEFAULTS.get(key)
    return default is not None and value.strip("'").split('.')[-1] == default


def differences(old: Manifest, new: Manifest) -> list[str]:
    """What differs between two manifests.

    Annotations are compared if both manifests have recorded those of the set, a given model if both
    have recorded it.

    Args:
        old: Manifest of the run on disk.
        new: Manifest of the run that is to go on.

    Returns:
        One line per key, with both values.
    """
    both = old.get('annotations', {}).keys() & new.get('annotations', {}).keys()
    lines = _changed_values(_comparable(old, both), _comparable(new, both))
    models = (old.get('checkpoint'), new.get('checkpoint'))
    if None not in models and models[0] != models[1]:
        lines.append(f'content of train_cfg.checkpoint: was {models[0]}, now {models[1]}')
    return [f'  {line}' for line in lines]


def _comparable(manifest: Manifest, annotation_sets: Iterable[str]) -> dict[str, str]:
    values = flat(dict(seed=manifest['seed'], pool=manifest['pool']))
    values |= manifest['config']
    for name in annotation_sets:
        values[f'annotations.{name}'] = repr(manifest['annotations'][name])
    return values


def _changed_values(old: dict[str, str], new: dict[str, str]) -> list[str]:
    lines = []
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            lines.append(f'{key}: was {old.get(key, "absent")}, now {new.get(key, "absent")}')
    return lines


def read_manifest(work_dir: str | Path) -> Manifest:
    """Read ``run.json``.

    Args:
        work_dir: Work directory of the run.

    Raises:
        CorruptStateError: If it is not what was written.
    """
    content = read_checksummed(RunPaths(Path(work_dir)).manifest)
    return cast(Manifest, content)


def recorded_setting(work_dir: str | Path, key: str) -> str | None:
    """The value of a setting that a run was begun with, as text.

    Args:
        work_dir: Work directory.
        key: Dotted key of the config.

    Returns:
        None if the setting is not recorded, or there is no whole ``run.json``.
    """
    if not RunPaths(Path(work_dir)).manifest.exists():
        return None
    try:
        return read_manifest(work_dir)['config'].get(key)
    except CorruptStateError:
        # Whoever opens the run says so.
        return None


def _save(work_dir: str | Path, manifest: Manifest) -> None:
    write_checksummed(RunPaths(Path(work_dir)).manifest, dict(manifest))


def _read_moved(work_dir: str | Path, new: Manifest) -> Manifest:
    """The manifest on disk, with its paths as they are now if the project was moved.

    A project is a config's folder with the work_dir in it. They move as one, and a path in that
    folder is the same file as long as it is at the same place in the folder. For a work_dir
    elsewhere, nothing tells a move from other data.
    """
    old = read_manifest(work_dir)
    old_folder = old.get('folder')
    new_folder = new.get('folder')
    if not old_folder or not new_folder:
        return old
    if not Path(os.path.abspath(work_dir)).is_relative_to(new_folder):
        return old
    settings = {}
    for key, value in old['config'].items():
        # A path that was not moved along is the same in both manifests.
        unmoved = new['config'].get(key) == value
        settings[key] = value if unmoved else moved_paths(value, old_folder, new_folder)
    return Manifest(**{**old, 'config': settings})


def holds_run(work_dir: str | Path, resume: bool) -> bool:
    """Whether ``work_dir`` holds some run.

    Args:
        work_dir: Work directory.
        resume: Whether to resume the run that is there.

    Raises:
        InputError: If it holds a run and ``resume`` was not asked for.
    """
    paths = RunPaths(Path(work_dir))
    holds = paths.manifest.exists()
    # The manifest may be lost.
    for round_paths in paths.rounds():
        holds = holds or round_paths.manifest_copy.exists() or round_paths.record.exists()
    if holds and not resume:
        raise InputError(
            f'{work_dir} holds a run already. Go on with it by --resume, or choose another '
            '--work-dir.'
        )
    return holds


def check(
    work_dir: str | Path,
    manifest: Manifest,
    resume: bool,
    allow_change: bool = False,
    pool_contents: dict[str, Any] | list[Any] | None = None,
    pool_grew: bool = False,
) -> bool:
    """Whether ``work_dir`` holds this very run already.

    Args:
        work_dir: Work directory.
        manifest: Manifest of the run that is to begin or to resume.
        resume: Whether to resume the run that is there.
        allow_change: Let settings differ, but never the pool. Defaults to False.
        pool_contents: Content of a ``pool.json`` of now, so that an error can name images. Defaults
            to None.
        pool_grew: Whether the pool may have new images. Defaults to False.

    Raises:
        InputError: If it holds a run and ``resume`` was not asked for, or if it holds another run.
        CorruptStateError: If its manifest is not what was written.
    """
    if not holds_run(work_dir, resume):
        return False
    try:
        old = _read_moved(work_dir, manifest)
    except CorruptStateError as e:
        raise CorruptStateError(f'{e} {RECOVERY_HINT}') from None
    lines = differences(old, manifest)
    same_pool = old['pool'] == manifest['pool']
    change = PoolChange([], [], set())
    if pool_contents is not None and not same_pool:
        change = pool_change(work_dir, pool_contents)
        _check_pool_change(work_dir, change, pool_grew)
    grew = bool(change.added)
    if grew:
        lines = [line for line in lines if not line.strip().startswith(_POOL_KEYS)]
    if not lines or (allow_change and (same_pool or grew)):
        return True
    shown = lines[:MAX_SHOWN_DIFFERENCES]
    if len(lines) > MAX_SHOWN_DIFFERENCES:
        shown.append('  ...')
    cure = 'or --allow-config-change to go on with the new ones, ' if same_pool or grew else ''
    message = '\n'.join(shown)
    raise InputError(
        f'Cannot resume {work_dir}: it was started with other settings.\n{message}\n'
        f'Set them back, {cure}or start anew in another --work-dir.'
    )


def _check_pool_change(work_dir: str | Path, change: PoolChange, pool_grew: bool) -> None:
    """Refuse a pool that has lost images, or has new ones that nobody spoke of."""
    if change.removed:
        raise InputError(
            f'Cannot resume {work_dir}: {change.text}. A pool may grow, but not lose images that '
            'scores and labels were made of. Put them back under their names and ids, or start '
            'anew in another --work-dir.'
        )
    if change.added and not pool_grew:
        raise InputError(
            f'Cannot resume {work_dir}: {change.text}. Take them in by --resume --pool-grew, take '
            'them out of the pool again, or start anew in another --work-dir.'
        )


class ManifestUpdate(NamedTuple):
    """A manifest that was brought up to date on resume.

    Attributes:
        manifest: The manifest to be written.
        changes: One line per setting that differs.
        environment_changes: One line per part of the environment that differs.
    """

    manifest: Manifest
    changes: list[str]
    environment_changes: list[str]


def updated_manifest(work_dir: str | Path, manifest: Manifest) -> ManifestUpdate:
    """The manifest on disk with the settings and paths of now.

    What differs is noted in its history.

    Args:
        work_dir: Work directory of the run.
        manifest: Manifest of the run that goes on.
    """
    old = read_manifest(work_dir)
    changes = []
    for line in differences(_read_moved(work_dir, manifest), manifest):
        changes.append(line.strip())
    environment_changes = _changed_values(_environment(old), _environment(manifest))
    updated = Manifest(**{**old, **manifest})
    if changes or environment_changes:
        entry = HistoryEntry(
            time=time.strftime('%Y-%m-%d %H:%M:%S'),
            rounds_closed=_count_labeled_rounds(work_dir),
            changes=changes + environment_changes,
        )
        updated['history'] = [*old.get('history', []), entry]
    return ManifestUpdate(
        manifest=updated, changes=changes, environment_changes=environment_changes
    )


def _environment(manifest: Manifest) -> dict[str, str]:
    environment = manifest.get('environment', {})
    return {f'environment.{key}': value for key, value in environment.items()}


def _count_labeled_rounds(work_dir: str | Path) -> int:
    rounds = RunPaths(Path(work_dir)).rounds()
    return sum(paths.artifact('label').exists() for paths in rounds)


def save_updated_manifest(work_dir: str | Path, manifest: Manifest) -> None:
    """Write a manifest of :func:`updated_manifest`, unless it is on disk already.

    Args:
        work_dir: Work directory of the run.
        manifest: The manifest.
    """
    if manifest != read_manifest(work_dir):
        _save(work_dir, manifest)


def back_up_manifest(work_dir: str | Path, folder: str | Path) -> None:
    """Copy the manifest into the folder of a round, in case it is lost.

    Args:
        work_dir: Work directory of the run.
        folder: Folder of the round.
    """
    manifest = RunPaths(Path(work_dir)).manifest
    content = manifest.read_bytes()
    copy = Path(folder) / manifest.name
    if not copy.exists() or copy.read_bytes() != content:
        write_bytes(copy, content)


def write_manifest(work_dir: str | Path, manifest: Manifest) -> None:
    """Mark ``work_dir`` as this run's, and record the checksums of what it begins with.

    Args:
        work_dir: Work directory of the run.
        manifest: Manifest of the run.
    """
    _save(work_dir, Manifest(**{**manifest, 'files': _beginning_checksums(work_dir)}))


def record_initial_labels(work_dir: str | Path, annotations: dict[str, str] | None = None) -> None:
    """Record the checksums again, now that the initial set is labeled, and those of the batch that
    people labeled.

    Args:
        work_dir: Work directory of the run.
        annotations: Checksums of the annotations, by what a set is called; see
            :func:`~mmal.run.annotation_manifest.annotation_digests`. Defaults to None: those
            recorded before stay.
    """
    manifest = read_manifest(work_dir)
    if annotations:
        manifest['annotations'] = annotations
    manifest['files'] = _beginning_checksums(work_dir)
    manifest['batch'] = record_checksums(RunPaths(Path(work_dir)).initial_batch.folder)
    _save(work_dir, manifest)


def record_initial_batch(work_dir: str | Path, batch: dict[str, str]) -> None:
    """Record other checksums of the initial batch.

    Args:
        work_dir: Work directory of the run.
        batch: Checksums of its files, by name.
    """
    manifest = read_manifest(work_dir)
    manifest['batch'] = batch
    _save(work_dir, manifest)


def record_overlaps(
    work_dir: str | Path, overlap: SetOverlap | None, pool_overlaps: list[PoolOverlap]
) -> None:
    """Record what pool, reference set and evaluation set have in common.

    Args:
        work_dir: Work directory of the run.
        overlap: What the two sets have in common; None where they cannot be compared.
        pool_overlaps: What the pool and each of them have in common, where it is anything.
    """
    manifest = read_manifest(work_dir)
    before = (manifest.pop('overlap', None), manifest.pop('pool_overlaps', []))
    if before == (overlap, pool_overlaps):
        return
    if overlap is not None:
        manifest['overlap'] = overlap
    if pool_overlaps:
        manifest['pool_overlaps'] = pool_overlaps
    _save(work_dir, manifest)


def _beginning_checksums(work_dir: str | Path) -> dict[str, str]:
    checksums = {}
    for path in RunPaths(Path(work_dir)).beginning:
        if path.exists():
            checksums[path.name] = digest_file(path)
    return checksums


def has_initial_labels(work_dir: str | Path) -> bool:
    """Whether the initial set is labeled, and that is recorded.

    Args:
        work_dir: Work directory of the run.
    """
    initial = RunPaths(Path(work_dir)).initial
    recorded = read_manifest(work_dir).get('files', {})
    return initial.exists() and initial.name in recorded
