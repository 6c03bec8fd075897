"""Whether the state in a work_dir is whole, and how to go back to the last state that is."""

from __future__ import annotations

from collections.abc import Callable
from logging import Logger
from pathlib import Path
from typing import NamedTuple

from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import CorruptStateError, find_corruption, read_checksummed

from .batch_checksums import record_checksums, verify_checksums
from .layout import PHASES, RoundPaths, RunPaths
from .manifest import RECOVERY_HINT, has_initial_labels, read_manifest, record_initial_batch
from .round_state import RoundState

REQUIRED_ARTIFACTS = ('evaluate', 'label')
"""Phases of a closed round whose artifacts later rounds and the curve are made from."""

_RECORD = 'record'


class Corruption(NamedTuple):
    """Damage that a resumed run cannot continue from.

    Attributes:
        phase: The phase whose artifact is damaged, or 'record' for ``phases.json`` itself.
        message: What is wrong, without a full stop.
    """

    phase: str
    message: str


def round_numbers(work_dir: str | Path) -> list[int]:
    """Numbers of the rounds that were begun.

    Args:
        work_dir: Work directory of the run.

    Returns:
        All numbers up to the last round that has a record, or an artifact of a phase.
    """
    last = -1
    for paths in RunPaths(Path(work_dir)).rounds():
        artifacts = [paths.artifact(phase) for phase in PHASES]
        if any(file.exists() for file in (paths.record, *artifacts)):
            last = paths.number
    return list(range(last + 1))


def verify_run(work_dir: str | Path, log: Logger) -> None:
    """Check every file that a resumed run would continue from.

    Args:
        work_dir: Work directory of the run.
        log: Receives a warning for damage that cannot change the result, as in a checkpoint of a
            closed round.

    Raises:
        CorruptStateError: If such a file is damaged. The message names each of them, the last state
            that is whole, and the cure.
    """
    messages = _corruption_of_beginning(work_dir)
    last_whole = 'nothing' if messages else 'the beginning'
    for number in round_numbers(work_dir):
        corruption = _corruption_of_round(work_dir, number, log)
        if not corruption and not messages:
            last_whole = f'round {number}'
            if not RoundState(work_dir, number).closed:
                last_whole += ', as far as it has come'
        messages += [entry.message for entry in corruption]
    if messages:
        raise CorruptStateError(
            f'{"; ".join(messages)}. What is whole: {last_whole}. {RECOVERY_HINT}'
        )


def roll_back(work_dir: str | Path, log: Logger, rebuild_beginning: Callable[[], None]) -> None:
    """Set aside what is damaged and all that was made from it. What remains is whole.

    Files and rounds are renamed, never removed. A lost ``run.json`` is put back from the copy in a
    round. What the run began with is made again, if it comes out the same.

    Args:
        work_dir: Work directory of the run.
        log: Receives a warning for each thing that is done.
        rebuild_beginning: Writes what the run began with.

    Raises:
        CorruptStateError: If ``run.json`` and all its copies are lost, or what the run began with
            cannot be made again.
    """
    _restore_manifest(work_dir, log)
    if _corruption_of_beginning(work_dir):
        _restore_beginning(Path(work_dir), log, rebuild_beginning)
    numbers = round_numbers(work_dir)
    for number in numbers:
        corruption = dict(_corruption_of_round(work_dir, number, log))
        if corruption:
            _roll_back_to_round(work_dir, number, numbers[-1], corruption, log)
            return


def _roll_back_to_round(
    work_dir: str | Path, number: int, last: int, corruption: dict[str, str], log: Logger
) -> None:
    record_is_lost = _RECORD in corruption
    first_to_set_aside = number if record_is_lost else number + 1
    # The last one first, so that a kill in between leaves no round without those before it.
    for later in range(last, first_to_set_aside - 1, -1):
        folder = RunPaths(Path(work_dir)).round(later).folder
        if folder.exists():
            quarantine(folder, log)
    if record_is_lost:
        return
    state = RoundState(work_dir, number)
    phase = min(corruption, key=list(PHASES).index)
    _set_batch_aside(state.paths.folder, state.batch, log)
    state.invalidate_from(phase)
    state.write()
    log.warning(f'Round {number} goes on from before {phase}.')


def _restore_beginning(work_dir: Path, log: Logger, rebuild_beginning: Callable[[], None]) -> None:
    manifest = read_manifest(work_dir)
    paths = RunPaths(work_dir)
    for name in (*manifest.get('files', {}), paths.unreadable.name):
        if (work_dir / name).exists():
            quarantine(work_dir / name, log)
    folder = paths.initial_batch.folder
    whole = _set_batch_aside(folder, manifest.get('batch', {}), log)
    # Labels may be brought in anew, from other files.
    record_initial_batch(work_dir, whole)
    rebuild_beginning()
    if 'batch' in manifest:
        record_initial_batch(work_dir, record_checksums(folder))
    messages = _corruption_of_beginning(work_dir)
    if messages:
        raise CorruptStateError(
            f'{"; ".join(messages)}, and cannot be made again. Put back a whole copy, or start '
            'anew in another --work-dir.'
        )


def _set_batch_aside(folder: Path, recorded: dict[str, str], log: Logger) -> dict[str, str]:
    """Set aside files of a batch that are damaged.

    Returns:
        What is recorded of the others.
    """
    corruption = verify_checksums(folder, recorded)
    for path in corruption:
        if path.exists():
            quarantine(path, log)
    return {name: sha256 for name, sha256 in recorded.items() if folder / name not in corruption}


def _corruption_of_beginning(work_dir: str | Path) -> list[str]:
    paths = RunPaths(Path(work_dir))
    manifest = read_manifest(work_dir)
    messages = []
    for name, sha256 in manifest.get('files', {}).items():
        message = find_corruption(paths.work_dir / name, sha256)
        if message:
            messages.append(message)
    batch_corruption = verify_checksums(paths.initial_batch.folder, manifest.get('batch', {}))
    messages += batch_corruption.values()
    try:
        read_checksummed(paths.unreadable)
    except CorruptStateError as e:
        messages.append(str(e).rstrip('.'))
    return messages


def _corruption_of_round(work_dir: str | Path, number: int, log: Logger) -> list[Corruption]:
    """Damage of a round that matters. Other damage is a warning."""
    try:
        state = RoundState(work_dir, number)
        if not state.paths.record.exists():
            raise CorruptStateError(f'{state.paths.record} is missing')
    except CorruptStateError as e:
        return [Corruption(_RECORD, str(e).rstrip('.'))]
    is_labeled = 'label' in state.record
    corruption = []
    for phase, message in state.find_corruption().items():
        is_required = phase in REQUIRED_ARTIFACTS
        if phase == 'train':
            is_required = _begins_next_training(work_dir, number)
        if is_labeled and not is_required:
            log.warning(f'{message}. No later round is made from it.')
        else:
            corruption.append(Corruption(phase, message))
    for message in verify_checksums(state.paths.folder, state.batch).values():
        corruption.append(Corruption('label', message))
    return corruption


def _begins_next_training(work_dir: str | Path, number: int) -> bool:
    """Whether the next round's training begins from a round's model, and is still to come."""
    settings = read_manifest(work_dir).get('config', {})
    if settings.get('train_cfg.warm_start') != 'True':
        return False
    try:
        is_trained = RoundState(work_dir, number + 1).done('train')
    except CorruptStateError:
        return True
    return not is_trained


def _restore_manifest(work_dir: str | Path, log: Logger) -> None:
    paths = RunPaths(Path(work_dir))
    try:
        read_checksummed(paths.manifest)
        return
    except CorruptStateError as e:
        log.warning(str(e))
    for round_paths in reversed(paths.rounds()):
        copy = round_paths.manifest_copy
        if not _is_whole(copy):
            continue
        if paths.manifest.exists():
            quarantine(paths.manifest, log)
        write_bytes(paths.manifest, copy.read_bytes())
        log.warning(f'{paths.manifest} was put back from {copy}.')
        return
    raise CorruptStateError(
        f'{paths.manifest} is lost, and so is every copy of it in the rounds; start anew in '
        'another --work-dir.'
    )


def _is_whole(file: Path) -> bool:
    if not file.exists():
        return False
    try:
        read_checksummed(file)
    except CorruptStateError:
        return False
    return True


def quarantine(path: Path, log: Logger) -> None:
    """Rename a file or folder that is damaged, or made from what is.

    Args:
        path: File or folder.
        log: Receives a warning with the new name.

    Raises:
        InputError: If it cannot be renamed.
    """
    number = 1
    while path.with_name(f'aside_{number}_{path.name}').exists():
        number += 1
    target = path.with_name(f'aside_{number}_{path.name}')
    try:
        path.rename(target)
    except OSError as e:
        raise InputError(f'Cannot set {path} aside: {e}.') from e
    log.warning(f'{path} was set aside as {target.name}.')


def closed_batch(folder: str | Path) -> bool:
    """Whether a run has continued from the labels of the batch in a folder.

    Args:
        folder: Folder of the batch.
    """
    folder = Path(folder)
    paths = RunPaths(folder.parent)
    if not paths.manifest.exists():
        return False
    for round_paths in paths.rounds():
        if round_paths == RoundPaths(folder):
            return RoundState(paths.work_dir, round_paths.number).closed
    return has_initial_labels(paths.work_dir)
