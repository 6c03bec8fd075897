"""Open a run: begin it, adopt the beginning of another run of the same seed, or resume it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from mmal.adapters import image_loaders
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.fileio.atomic import remove_partial_files
from mmal.fileio.checksummed import digest_file
from mmal.fileio.text import write_json
from mmal.pool.pool import Pool
from mmal.run.annotation_manifest import annotation_digests
from mmal.run.image_manifest import (
    require_others_unchanged,
    require_pool_unchanged,
    write_other_images,
    write_pool_images,
)
from mmal.run.layout import RunPaths
from mmal.run.lock import lock
from mmal.run.manifest import (
    Manifest,
    back_up_manifest,
    build_manifest,
    check,
    differences,
    has_initial_labels,
    holds_run,
    read_manifest,
    record_initial_labels,
    save_updated_manifest,
    updated_manifest,
    write_manifest,
)
from mmal.run.pool_growth import finish_growth
from mmal.run.recovery import roll_back, verify_run
from mmal.run.round_state import RoundState, clear_unfinished
from mmal.utils.collect_env import collect_env
from mmal.utils.image_files import FileIdentity, ImageCheck, check_images, file_identity

from .context import RunContext
from .given_labels import GivenLabels
from .growth import Growth, find_growth, take_in
from .image_checks import (
    check_pool_images,
    identify_images,
    require_most_readable,
    unreadable_reasons,
)
from .initial_set import (
    check_pool_size,
    choose_initial_set,
    draw_initial_set,
    label_initial_set,
)
from .pool_overlap import tell_overlaps

KEYS_A_METHOD_MAY_CHANGE = (
    'train_cfg.sampler',
    'train_cfg.start_from',
    'train_cfg.warm_start',
    'custom_hooks',
)
"""Config keys that may differ between runs whose first models are the same. Of hooks, only
StestHook may.
"""

GIVEN_LABELS = 'initial labels'
"""What labels that existed before the run are called in its manifest."""

Identities = Mapping[str, Mapping[str, FileIdentity | None]]


class Opening(Enum):
    """How a run is opened."""

    BEGIN = 'begin'
    """The work_dir holds no run."""
    ADOPT = 'adopt'
    """The work_dir holds no run, and the beginning of another run is taken over."""
    RESUME = 'resume'
    """The work_dir holds this very run."""


@dataclass(frozen=True)
class Inputs:
    """What a run is opened with.

    Attributes:
        preflight: Checks the run and returns the datasets beside the pool, by what they are called.
            It is called again once the initial set is labeled.
        result_neutral: Patterns of config keys that a resumed run may change.
    """

    preflight: Callable[[], dict[str, Any]]
    result_neutral: tuple[str, ...]


def open_run(run: RunContext, inputs: Inputs) -> None:
    """Open the work_dir, and have the initial set labeled if it is not. Every process calls it.

    Args:
        run: The run.
        inputs: What it is opened with.

    Raises:
        InputError: If the run cannot work, or the work_dir is in use, damaged, or another run's.
        LabelsPending: If people are to label the initial set.
    """
    sets = inputs.preflight()
    files = image_files(run, sets)
    manifest = current_manifest(run, inputs.result_neutral)
    manifest['environment'] = collect_env()
    digests = run_on_rank_zero(lambda: current_annotations(run, sets))
    if digests:
        manifest['annotations'] = digests
    if run.given is not None:
        manifest['given_labels'] = run.given.source
    else:
        manifest['cold_start'] = run.cold_start.text
    source = run.settings.start_from
    opening = run_on_rank_zero(lambda: _find_opening(run, manifest, files))
    identities: Identities = {}
    if run.given is not None and opening is not Opening.RESUME:
        _tell(run, run.given)
    if opening is Opening.RESUME:
        growth = find_growth(run)
        run_on_rank_zero(lambda: resume_run(run, manifest, files, growth))
    elif opening is Opening.ADOPT and source is not None:
        run_on_rank_zero(lambda: adopt_run(run, manifest, source))
    else:
        checks = {}
        if run.settings.check_images:
            loaders = image_loaders(run.cfg)
            identities = identify_images(files, run.log, loaders)
            checks = check_pool_images(run.data, run.log, loaders=loaders)
        run_on_rank_zero(lambda: begin_run(run, manifest, checks))
    run_on_rank_zero(lambda: tell_overlaps(run, sets))
    if source is not None:
        run_on_rank_zero(lambda: link_first_model(run, manifest, source))
    if not run_on_rank_zero(lambda: has_initial_labels(run.paths.work_dir)):
        chosen = choose_initial_set(run)
        run_on_rank_zero(lambda: label_initial_set(run, chosen))
        _record_what_is_labeled(run, inputs, sets, identities)
    run_on_rank_zero(lambda: clear_unfinished(run.paths.initial_batch))


def _tell(run: RunContext, given: GivenLabels) -> None:
    """Log what a run begins with that was labeled before."""
    run.log.info(
        f'{len(given.ids)} of {len(run.pool_ids)} images are labeled already ({given.source}): '
        'they are the initial set, and nobody is asked for it.'
    )
    for note in given.notes:
        run.log.warning(f'{given.source}: {note}.')


def image_files(run: RunContext, sets: Mapping[str, Any]) -> dict[str, list[str]]:
    """Image files of the sets beside the pool, by what they are called.

    Args:
        run: The run.
        sets: The datasets by what they are called.
    """
    files = {}
    for name, dataset in sets.items():
        names = run.data.files(dataset)
        if names:
            files[name] = names
    return files


def current_manifest(run: RunContext, result_neutral: tuple[str, ...]) -> Manifest:
    """What makes this run this run.

    Args:
        run: The run.
        result_neutral: Patterns of config keys that cannot change the result.
    """
    images = run.data.images
    content = sorted((str(image['id']), image['file_name']) for image in images)
    digest = Pool(run.pool_ids).digest(repr(content))
    manifest = build_manifest(run.cfg, run.settings.seed, digest, len(images), result_neutral)
    given = run.settings.checkpoint
    if given is not None and given.exists():
        # Once the first round has taken it, nothing reads the file again.
        manifest['checkpoint'] = digest_file(given)
    return manifest


def current_annotations(run: RunContext, sets: Mapping[str, Any]) -> dict[str, str]:
    """Checksums of the annotations that the run learns from and is judged by.

    Args:
        run: The run.
        sets: The datasets beside the pool, by what they are called.

    Returns:
        The checksum by what a set is called. While people are still to label, only that of labels
        that existed before the run.
    """
    digests = {}
    if not run.oracle.is_human or run.paths.initial.exists():
        digests = annotation_digests(
            run.data, sets, run.cfg, pool_is_annotated=not run.oracle.is_human
        )
    if run.given is not None:
        digests[GIVEN_LABELS] = run.given.digest
    return digests


def _find_opening(run: RunContext, manifest: Manifest, files: Mapping[str, list[str]]) -> Opening:
    """Lock the work_dir, restore what is damaged if that is asked for, and see whether it holds
    this run.
    """
    settings = run.settings
    work_dir = run.paths.work_dir
    lock(work_dir, run.log.info)
    for folder in (work_dir, *work_dir.glob('round_*')):
        remove_partial_files(folder)
    if holds_run(work_dir, settings.resume):
        finish_growth(work_dir)
    may_restore = settings.resume and settings.on_corruption == 'restore'
    if may_restore and holds_run(work_dir, settings.resume):
        roll_back(work_dir, run.log, lambda: rebuild_initial_state(run, manifest, files))
    pool_contents = run.data.pool_contents() if settings.resume else None
    holds_this_run = check(
        work_dir,
        manifest,
        settings.resume,
        settings.allow_config_change,
        pool_contents,
        settings.pool_grew,
    )
    if holds_this_run:
        return Opening.RESUME
    return Opening.BEGIN if settings.start_from is None else Opening.ADOPT


def begin_run(run: RunContext, manifest: Manifest, checks: Mapping[Any, ImageCheck]) -> None:
    """Write what a new run begins with. Only rank 0 calls it.

    Args:
        run: The run.
        manifest: Manifest of the run.
        checks: Checks of the pool's images by id; empty if they were not checked.

    Raises:
        InputError: If most images cannot be read, or fewer can than the run begins with.
    """
    require_most_readable(checks)
    _write_pool(run, checks)
    write_manifest(run.paths.work_dir, manifest)


def _write_pool(run: RunContext, checks: Mapping[Any, ImageCheck]) -> None:
    if checks:
        identities = {image_id: check.identity for image_id, check in checks.items()}
        write_pool_images(run.paths.work_dir, identities)
    write_json(run.paths.pool, run.data.pool_contents(), indent=None)
    run.unreadable.write(unreadable_reasons(checks))
    check_pool_size(run)


def resume_run(
    run: RunContext,
    manifest: Manifest,
    files: Mapping[str, list[str]],
    growth: Growth | None = None,
) -> None:
    """Check what a resumed run continues from, and note other settings. Only rank 0 calls it.

    Args:
        run: The run.
        manifest: Manifest of the run with the settings of now.
        files: Image files of the sets beside the pool, by what they are called.
        growth: Images that are new in the pool. Defaults to None: there are none.

    Raises:
        CorruptStateError: If a file that the run would continue from is damaged.
        InputError: If the content of an image is another.
    """
    work_dir = run.paths.work_dir
    verify_run(work_dir, run.log)
    if run.data.is_local:
        paths = {str(image_id): run.data.image_path(image_id) for image_id in run.pool_ids}
        require_pool_unchanged(work_dir, paths)
    require_others_unchanged(work_dir, files)
    update = updated_manifest(work_dir, manifest)
    if update.changes:
        # The rest of an interrupted training or pass would be another's.
        for batch in (run.paths.initial_batch, *run.paths.rounds()):
            clear_unfinished(batch)
        if not has_initial_labels(work_dir):
            run.paths.first_choice.unlink(missing_ok=True)
    if growth is not None:
        take_in(run, update.manifest, growth)
    else:
        save_updated_manifest(work_dir, update.manifest)
    if update.changes:
        changes = '; '.join(update.changes)
        run.log.warning(
            f'Going on with other settings, as asked; they are noted in run.json: {changes}'
        )
    if update.environment_changes:
        changes = '; '.join(update.environment_changes)
        run.log.warning(
            'Going on in another environment, in which the last digits of sums, and with them '
            'trainings, '
            f'may differ; noted in run.json: {changes}. OMP_NUM_THREADS sets threads.'
        )


def rebuild_initial_state(
    run: RunContext, manifest: Manifest, files: Mapping[str, list[str]]
) -> None:
    """Write what the run began with a second time. Only rank 0 calls it.

    Args:
        run: The run.
        manifest: Manifest of the run.
        files: Image files of the sets beside the pool, by what they are called.
    """
    source = run.settings.start_from
    if source is not None:
        _link_beginning(run, manifest, RunPaths(source))
        return
    checks: dict[Any, ImageCheck] = {}
    identities: dict[str, dict[str, FileIdentity | None]] = {}
    if run.settings.check_images and run.data.is_local:
        paths = {image_id: run.data.image_path(image_id) for image_id in run.pool_ids}
        checks = check_images(paths, run.log, image_loaders(run.cfg))
        for name, names in files.items():
            identities[name] = {file: file_identity(file) for file in names}
    _write_pool(run, checks)
    if identities:
        write_other_images(run.paths.work_dir, identities)
    label_initial_set(run, draw_initial_set(run))


def adopt_run(run: RunContext, manifest: Manifest, source: Path) -> None:
    """Begin with the initial set of another run. Only rank 0 calls it.

    Args:
        run: The run.
        manifest: Manifest of the run.
        source: Work directory of the other run.

    Raises:
        InputError: If what that run began with is not what this run would begin with.
    """
    _link_beginning(run, manifest, RunPaths(source))
    write_manifest(run.paths.work_dir, manifest)


def _link_beginning(run: RunContext, manifest: Manifest, source: RunPaths) -> None:
    _require_same_beginning(run, source, manifest)
    for file in (*source.beginning, source.unreadable):
        target = run.paths.work_dir / file.name
        target.unlink(missing_ok=True)
        if file.exists():
            _link(file, target)
    run.log.info(f'Taken over from {source.work_dir}: the initial set.')


def _require_same_beginning(run: RunContext, source: RunPaths, manifest: Manifest) -> None:
    """Refuse a run in ``source`` that began with something else than this run would."""
    folder = source.work_dir
    if not source.manifest.exists():
        raise InputError(
            f'train_cfg.start_from: {folder} holds no run. Start that one first, or remove '
            'start_from.'
        )
    if not has_initial_labels(folder):
        raise InputError(
            f'train_cfg.start_from: {folder} was ended before it had its first images. Go on with '
            'that '
            'one first, or remove start_from.'
        )
    n_initial = len(run.data.read_labeled(source.initial)[0])
    n_held_out = len(run.data.read_labeled(source.holdout)[0])
    settings = run.settings
    expected = (settings.initial - settings.holdout, settings.holdout)
    other = read_manifest(folder)
    _require_same_given_labels(folder, other, manifest)
    if run.given is not None:
        # Images that cannot be read are left out of labels that existed before, and copies of
        # images that are held out are held out, too.
        n_expected = max(settings.holdout, n_held_out) if settings.holdout else 0
        expected = (n_initial, n_expected)
    if (n_initial, n_held_out) != expected:
        raise InputError(
            f'train_cfg.start_from: {folder} began with {n_initial} images and {n_held_out} held '
            'out, '
            f'this run would with {expected[0]} and {expected[1]}. Set train_cfg.initial and '
            'holdout '
            'alike.'
        )
    _require_same_cold_start(folder, other, manifest)
    old_labels = other.get('annotations', {}).get('pool')
    new_labels = manifest.get('annotations', {}).get('pool')
    if None not in (old_labels, new_labels) and old_labels != new_labels:
        raise InputError(
            f'train_cfg.start_from: the annotations of the pool have changed since {folder} was '
            'begun '
            f'(were {old_labels}, are {new_labels}). Put the old file back, or start that run anew.'
        )
    if (other['seed'], other['pool']) != (manifest['seed'], manifest['pool']):
        raise InputError(
            f'train_cfg.start_from: {folder} has another seed or pool ({other["seed"]}, '
            f'{other["pool"]}) '
            f'than this run ({manifest["seed"]}, {manifest["pool"]}).'
        )


def _require_same_given_labels(folder: Path, other: Manifest, manifest: Manifest) -> None:
    """Refuse a run that did not begin with the labels that this one is given."""
    theirs = other.get('annotations', {}).get(GIVEN_LABELS, 'none')
    ours = manifest.get('annotations', {}).get(GIVEN_LABELS, 'none')
    if theirs != ours:
        raise InputError(
            f'train_cfg.start_from: {folder} began with other labels ({theirs}) than this run '
            f'would ({ours}). Set train_cfg.initial alike in both.'
        )


def _require_same_cold_start(folder: Path, other: Manifest, manifest: Manifest) -> None:
    """Refuse a run whose first images were chosen in another way than this one's would be."""
    theirs = _settings_below(other, 'train_cfg.cold_start')
    ours = _settings_below(manifest, 'train_cfg.cold_start')
    if theirs != ours:
        raise InputError(
            f'train_cfg.start_from: the first images of {folder} were chosen '
            f'{other.get("cold_start", "in another way")}, those of this run would be chosen '
            f'{manifest.get("cold_start", "in another way")}. Set train_cfg.cold_start alike in '
            'both, or remove start_from.'
        )


def _settings_below(manifest: Manifest, key: str) -> dict[str, str]:
    settings = manifest['config'].items()
    return {name: value for name, value in settings if name == key or name.startswith(f'{key}.')}


def link_first_model(run: RunContext, manifest: Manifest, source: Path) -> None:
    """Link the first model of another run, if its training was the same and ours is yet to come.

    Only rank 0 calls it.

    Args:
        run: The run.
        manifest: Manifest of the run.
        source: Work directory of the other run.
    """
    theirs = RoundState(source, 0)
    ours = RoundState(run.paths.work_dir, 0)
    if ours.record or not theirs.done('evaluate') or theirs.find_corruption():
        return
    if not same_training(read_manifest(source), manifest):
        return
    back_up_manifest(run.paths.work_dir, ours.paths.folder)
    ours.create_record()
    for phase in ('train', 'evaluate'):
        _link(theirs.artifact(phase), ours.artifact(phase))
        ours.record[phase] = theirs.record[phase]
    ours.write()
    run.log.info(f'Taken over from {source}: the first trained model.')


def same_training(theirs: Manifest, ours: Manifest) -> bool:
    """Whether the first models of two runs are trained alike.

    Args:
        theirs: Manifest of the one run.
        ours: Manifest of the other.
    """
    for line in differences(theirs, ours):
        if not line.strip().startswith(KEYS_A_METHOD_MAY_CHANGE):
            return False
    return _training_hooks(theirs) == _training_hooks(ours)


def _training_hooks(manifest: Manifest) -> list[list[tuple[str, str]]]:
    """Settings of the hooks that take part in training, whatever their number in the list."""
    hooks: dict[str, dict[str, str]] = {}
    for key, value in manifest['config'].items():
        if key.startswith('custom_hooks.'):
            _, number, name = key.split('.', 2)
            hooks.setdefault(number, {})[name] = value
    settings = []
    for hook in hooks.values():
        if 'StestHook' not in hook.get('type', ''):
            settings.append(sorted(hook.items()))
    return sorted(settings)


def _link(source: Path, target: Path) -> None:
    """Make a hard link where the file system allows it. Files are replaced, never written into."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _record_what_is_labeled(
    run: RunContext, inputs: Inputs, sets: Mapping[str, Any], identities: Identities
) -> None:
    """Record what the first model is trained on, and what the sets beside the pool are: all is
        labeled now.

    Args:
        run: The run.
        inputs: What the run is opened with.
        sets: The datasets beside the pool, as they were before people labeled.
        identities: Their images, as far as they were identified when the run began.
    """
    if run.oracle.is_human:
        # What could wait until there were labels.
        sets = inputs.preflight()
    files = image_files(run, sets)
    if run.settings.check_images:
        for name, names in files.items():
            if set(names) - set(identities.get(name, ())):
                identities = identify_images(files, run.log, image_loaders(run.cfg))
                break

    def record() -> None:
        if identities:
            write_other_images(run.paths.work_dir, identities)
        # Where nobody labels, the annotations were recorded when the run began.
        digests = current_annotations(run, sets) if run.oracle.is_human else None
        record_initial_labels(run.paths.work_dir, digests)
        if run.oracle.is_human:
            tell_overlaps(run, sets)

    run_on_rank_zero(record)
