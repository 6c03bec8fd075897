"""Whether the state in a work_dir is whole, and how to go back to where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .artifacts import write_bytes
from .errors import InputError
from .images import UNREADABLE
from .round import PHASES, RoundFolder
from .run_record import CURE, NAME, has_first_labels
from .sealed import Damaged, fault, read_sealed, write_sealed

GOES_ON_FROM = ('evaluate', 'label')
"""Phases of a closed round whose files later rounds and the curve are made from."""


def round_numbers(work_dir: str | Path) -> list[int]:
    """Numbers of the rounds that were begun, up to the last with a record."""
    found = [int(p.parent.name[6:]) for p in Path(work_dir).glob('round_*/phases.json') if p.parent.name[6:].isdigit()]
    return list(range(max(found, default=-1) + 1))


def examine(work_dir: str | Path, logger) -> None:
    """Check every file that a resumed run would go on from.

    Args:
        work_dir: Of the run.
        logger: Warned of damage that cannot change the result, as in a checkpoint of a closed round.

    Raises:
        Damaged: If there is such a file; the message names each, the last state that is whole, and the cure.
    """
    found = _beginning(work_dir)
    last = 'nothing' if found else 'the beginning'
    for number in round_numbers(work_dir):
        fatal = _round_faults(work_dir, number, logger)
        if not fatal and not found:
            last = f'round {number}' + ('' if RoundFolder(work_dir, number).closed else ', as far as it has come')
        found += [message for _, message in fatal]
    if found:
        raise Damaged(f'{"; ".join(found)}. What is whole: {last}. {CURE}')


def restore(work_dir: str | Path, logger, begin_again: Callable[[], None]) -> None:
    """Set aside what is damaged and all that was made from it; what remains is whole.

    Files and rounds are renamed, never removed. A lost ``run.json`` is put back from the copy in a round; what the run
    began with is made again, if it comes out the same.

    Args:
        work_dir: Of the run.
        logger: Told what is done.
        begin_again: Writes what the run began with.

    Raises:
        Damaged: If ``run.json`` and all its copies are lost, or what the run began with cannot be made again.
    """
    _restore_record(work_dir, logger)
    if _beginning(work_dir):
        for name in (*read_sealed(Path(work_dir) / NAME).get('files', {}), UNREADABLE):
            if (Path(work_dir) / name).exists():
                _aside(Path(work_dir) / name, logger)
        begin_again()
        if lost := _beginning(work_dir):
            raise Damaged(f'{"; ".join(lost)}, and cannot be made again. Put back a whole copy, or start anew in '
                          'another --work-dir.')
    broken = False
    for number in round_numbers(work_dir):
        fatal = {} if broken else dict(_round_faults(work_dir, number, logger))
        if (broken or 'record' in fatal) and (Path(work_dir) / f'round_{number:02d}').exists():
            _aside(Path(work_dir) / f'round_{number:02d}', logger)
        elif fatal:
            _go_back(RoundFolder(work_dir, number), min(fatal, key=list(PHASES).index), logger)
        broken = broken or bool(fatal)


def _go_back(folder: RoundFolder, phase: str, logger) -> None:
    folder.forget(phase)
    write_sealed(folder.path / 'phases.json', folder.record)
    logger.warning(f'Round {folder.number} goes on from before {phase}.')


def _beginning(work_dir: str | Path) -> list[str]:
    files = read_sealed(Path(work_dir) / NAME).get('files', {})
    found = [f for f in (fault(Path(work_dir) / name, sha256) for name, sha256 in files.items()) if f]
    try:
        read_sealed(Path(work_dir) / UNREADABLE)
    except Damaged as e:
        found.append(str(e).rstrip('.'))
    return found


def _round_faults(work_dir: str | Path, number: int, logger) -> list[tuple[str, str]]:
    """(phase, message) of damage that matters; 'record' stands for phases.json itself."""
    try:
        folder = RoundFolder(work_dir, number)
        if not (folder.path / 'phases.json').exists():
            raise Damaged(f'{folder.path}/phases.json is missing')
    except Damaged as e:
        return [('record', str(e).rstrip('.'))]
    faults = folder.faults()
    closed = 'label' in folder.record
    for phase, message in faults.items():
        if closed and phase not in GOES_ON_FROM:
            logger.warning(f'{message}. No later round is made from it.')
    return [(p, m) for p, m in faults.items() if not closed or p in GOES_ON_FROM]


def _restore_record(work_dir: str | Path, logger) -> None:
    path = Path(work_dir) / NAME
    try:
        read_sealed(path)
        return
    except Damaged as e:
        logger.warning(str(e))
    for number in reversed(round_numbers(work_dir)):
        copy = Path(work_dir) / f'round_{number:02d}' / NAME
        try:
            read_sealed(copy)
        except Damaged:
            continue
        if path.exists():
            _aside(path, logger)
        write_bytes(path, copy.read_bytes())
        logger.warning(f'{path} was put back from {copy}.')
        return
    raise Damaged(f'{path} is lost, and so is every copy of it in the rounds; start anew in another --work-dir.')


def _aside(path: Path, logger) -> None:
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
        return RoundFolder(folder.parent, int(folder.name[6:])).closed
    return has_first_labels(folder.parent)
