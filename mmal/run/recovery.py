"""Whether the state in a work_dir is whole, and how to go back to where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import (
    CorruptStateError,
    find_corruption,
    read_checksummed,
    write_checksummed,
)
from mmal.run import batch_checksums

from .layout import INITIAL, PHASES, RECORD
from .manifest import NAME, RECOVERY_HINT, has_initial_labels
from .round_state import RoundState
from .unreadable import UNREADABLE

REQUIRED_ARTIFACTS = ('evaluate', 'label')
"""Phases of a closed round whose files later rounds and the curve are made from."""


def round_numbers(work_dir: str | Path) -> list[int]:
    """Numbers of the rounds that were begun, up to the last with a record, or with what a phase of it left."""
    found = [
        int(p.name[6:])
        for p in Path(work_dir).glob('round_*')
        if p.name[6:].isdigit() and any((p / name).exists() for name in (RECORD, *PHASES.values()))
    ]
    return list(range(max(found, default=-1) + 1))


def verify_run(work_dir: str | Path, logger) -> None:
    """Check every file that a resumed run would go on from.

    Args:
        work_dir: Of the run.
        logger: Warned of damage that cannot change the result, as in a checkpoint of a closed round.

    Raises:
        CorruptStateError: If there is such a file; the message names each, the last state that is whole, and the cure.
    """
    found = _beginning(work_dir)
    last = 'nothing' if found else 'the beginning'
    for number in round_numbers(work_dir):
        fatal = _round_faults(work_dir, number, logger)
        if not fatal and not found:
            last = f'round {number}' + (
                '' if RoundState(work_dir, number).complete else ', as far as it has come'
            )
        found += [message for _, message in fatal]
    if found:
        raise CorruptStateError(f'{"; ".join(found)}. What is whole: {last}. {RECOVERY_HINT}')


def roll_back(work_dir: str | Path, logger, begin_again: Callable[[], None]) -> None:
    """Set aside what is damaged and all that was made from it; what remains is whole.

    Files and rounds are renamed, never removed. A lost ``run.json`` is put back from the copy in a round; what the run
    began with is made again, if it comes out the same.

    Args:
        work_dir: Of the run.
        logger: Told what is done.
        begin_again: Writes what the run began with.

    Raises:
        CorruptStateError: If ``run.json`` and all its copies are lost, or what the run began with cannot be made again.
    """
    _restore_record(work_dir, logger)
    if _beginning(work_dir):
        _restore_beginning(Path(work_dir), logger, begin_again)
    numbers = round_numbers(work_dir)
    for place, number in enumerate(numbers):
        if fatal := dict(_round_faults(work_dir, number, logger)):
            made_from_it = numbers[place + ('record' not in fatal) :]
            for later in reversed(
                made_from_it
            ):  # the last first: a kill between leaves none without those before it
                if (folder := Path(work_dir) / f'round_{later:02d}').exists():
                    quarantine(folder, logger)
            if 'record' not in fatal:
                _go_back(RoundState(work_dir, number), min(fatal, key=list(PHASES).index), logger)
            return


def _restore_beginning(work_dir: Path, logger, begin_again: Callable[[], None]) -> None:
    record = read_checksummed(work_dir / NAME)
    for name in (*record.get('files', {}), UNREADABLE):
        if (work_dir / name).exists():
            quarantine(work_dir / name, logger)
    folder = work_dir / INITIAL
    whole = _batch_aside(folder, record.get('batch', {}), logger)
    write_checksummed(
        work_dir / NAME, dict(record, batch=whole)
    )  # labels may be brought in anew, from other files
    begin_again()
    if 'batch' in record:
        write_checksummed(
            work_dir / NAME, dict(record, batch=batch_checksums.record_checksums(folder))
        )
    if lost := _beginning(work_dir):
        raise CorruptStateError(
            f'{"; ".join(lost)}, and cannot be made again. Put back a whole copy, or start anew in '
            'another --work-dir.'
        )


def _batch_aside(folder: Path, noted: dict[str, str], logger) -> dict[str, str]:
    """Set aside files of a batch that are not whole; what was noted of the others."""
    faults = batch_checksums.verify_checksums(folder, noted)
    for path in faults:
        if path.exists():
            quarantine(path, logger)
    return {name: sha256 for name, sha256 in noted.items() if folder / name not in faults}


def _go_back(folder: RoundState, phase: str, logger) -> None:
    _batch_aside(folder.path, folder.batch, logger)
    folder.invalidate_from(phase)
    folder.write()
    logger.warning(f'Round {folder.number} goes on from before {phase}.')


def _beginning(work_dir: str | Path) -> list[str]:
    record = read_checksummed(Path(work_dir) / NAME)
    faults = (
        find_corruption(Path(work_dir) / name, sha256)
        for name, sha256 in record.get('files', {}).items()
    )
    found = [f for f in faults if f]
    found += batch_checksums.verify_checksums(
        Path(work_dir) / INITIAL, record.get('batch', {})
    ).values()
    try:
        read_checksummed(Path(work_dir) / UNREADABLE)
    except CorruptStateError as e:
        found.append(str(e).rstrip('.'))
    return found


def _round_faults(work_dir: str | Path, number: int, logger) -> list[tuple[str, str]]:
    """(phase, message) of damage that matters; 'record' stands for phases.json itself."""
    try:
        folder = RoundState(work_dir, number)
        if not (folder.path / RECORD).exists():
            raise CorruptStateError(f'{folder.path / RECORD} is missing')
    except CorruptStateError as e:
        return [('record', str(e).rstrip('.'))]
    faults = folder.faults()
    closed = 'label' in folder.record
    for phase, message in faults.items():
        if closed and phase not in REQUIRED_ARTIFACTS:
            logger.warning(f'{message}. No later round is made from it.')
    batch = batch_checksums.verify_checksums(folder.path, folder.batch).values()
    return [(p, m) for p, m in faults.items() if not closed or p in REQUIRED_ARTIFACTS] + [
        ('label', m) for m in batch
    ]


def _restore_record(work_dir: str | Path, logger) -> None:
    path = Path(work_dir) / NAME
    try:
        read_checksummed(path)
        return
    except CorruptStateError as e:
        logger.warning(str(e))
    copies = [p for p in Path(work_dir).glob(f'round_*/{NAME}') if p.parent.name[6:].isdigit()]
    for copy in sorted(copies, key=lambda p: int(p.parent.name[6:]), reverse=True):
        try:
            read_checksummed(copy)
        except CorruptStateError:
            continue
        if path.exists():
            quarantine(path, logger)
        write_bytes(path, copy.read_bytes())
        logger.warning(f'{path} was put back from {copy}.')
        return
    raise CorruptStateError(
        f'{path} is lost, and so is every copy of it in the rounds; start anew in another --work-dir.'
    )


def quarantine(path: Path, logger) -> None:
    """Rename what is damaged, or made from what is."""
    n = 1
    while (to := path.with_name(f'aside_{n}_{path.name}')).exists():
        n += 1
    try:
        path.rename(to)
    except OSError as e:
        raise InputError(f'Cannot set {path} aside: {e}.') from e
    logger.warning(f'{path} was set aside as {to.name}.')


def closed_batch(folder: str | Path) -> bool:
    """Whether a run went on from the labels of the batch in this folder."""
    folder = Path(folder)
    if not (folder.parent / NAME).exists():
        return False
    if folder.name.startswith('round_'):
        return RoundState(folder.parent, int(folder.name[6:])).complete
    return has_initial_labels(folder.parent)
