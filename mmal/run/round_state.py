"""A round's folder: which phases are done, what they left, how long they took."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from mmengine import dist

from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import (
    digest_bytes,
    digest_file,
    find_corruption,
    read_checksummed,
    write_checksummed,
)
from mmal.run import batch_checksums

from .layout import PASSES, PHASES, RECORD
from .resume_points import remove_points


def clear_unfinished(folder: str | Path) -> None:
    """Remove what interrupted trainings and passes in a folder would go on from."""
    remove_points(folder)
    if (Path(folder) / PASSES).exists():
        shutil.rmtree(Path(folder) / PASSES)


class RoundState:
    """``round_XX``, and the record ``phases.json`` in it: {phase: {seconds, sha256 of its file}}.

    The record is there before the first phase, so that files without it tell that it was lost. That of the last phase
    has ``batch``, too: what :func:`mmal.run.batch_checksums.record_checksums` said.

    Args:
        work_dir: Of the run.
        number: Of the round, from 0.

    Raises:
        CorruptStateError: If the record is not what was written.
    """

    def __init__(self, work_dir: str | Path, number: int) -> None:
        self.number = number
        self.path = Path(work_dir) / f'round_{number:02d}'
        record = self.path / RECORD
        self.record: dict[str, dict] = read_checksummed(record) if record.exists() else {}

    def create_record(self) -> None:
        """Write the record, empty, if there is none yet. Rank 0 calls it."""
        if not (self.path / RECORD).exists():
            self.write()

    def write(self) -> None:
        """Write the record."""
        write_checksummed(self.path / RECORD, self.record)

    def artifact(self, phase: str) -> Path:
        return self.path / PHASES[phase]

    def done(self, phase: str) -> bool:
        """Whether a phase was finished and its file is still there; files are written whole or not at all."""
        return phase in self.record and self.artifact(phase).exists()

    @property
    def complete(self) -> bool:
        """Whether every phase is done."""
        return self.done('label')

    @property
    def batch(self) -> dict[str, str]:
        """Checksums of the files of its batch; none before it is labeled."""
        return self.record.get('label', {}).get('batch', {})

    def faults(self) -> dict[str, str]:
        """What is wrong with the files of finished phases, by phase."""
        found = {
            p: find_corruption(self.artifact(p), e.get('sha256')) for p, e in self.record.items()
        }
        return {p: f for p, f in found.items() if f}

    def run(self, phase: str, work: Callable[[Path], None], logger) -> None:
        """Run a phase unless it is done; ``work`` writes the artifact it is given the path of.

        Every process of a group calls this; the record is rank 0's.
        """
        if self.done(phase):
            logger.info(f'Round {self.number}: {phase} is done already.')
            return
        start = time.perf_counter()
        run_on_rank_zero(self.create_record)
        work(self.artifact(phase))
        dist.barrier()
        seconds = round(time.perf_counter() - start, 3)
        self.invalidate_from(phase)
        self.record[phase] = dict(seconds=seconds)
        if dist.is_main_process():
            self.record[phase]['sha256'] = digest_file(self.artifact(phase))
            if phase == 'label':
                self.record[phase]['batch'] = batch_checksums.record_checksums(self.path)
            self.write()
            clear_unfinished(self.path)  # of this phase, or of a model that was before
        dist.barrier()
        logger.info(f'Round {self.number}: {phase} took {seconds:.1f} s.')

    def invalidate_from(self, phase: str) -> None:
        """Take this phase and those after it from the record in memory."""
        later = list(PHASES)[list(PHASES).index(phase) :]
        self.record = {p: e for p, e in self.record.items() if p not in later}

    def replace_artifact(self, phase: str, content: bytes) -> None:
        """Replace the file of a finished phase. The new checksum is noted first, so a kill between leaves no riddle.

        Rank 0 calls it.
        """
        old, new = self.record[phase].get('sha256') or [], digest_bytes(content)
        known = [old] if isinstance(old, str) else old  # several of an attempt that was interrupted
        if known:
            self._note(phase, [*known, new])
        write_bytes(self.artifact(phase), content)
        self._note(phase, new)

    def _note(self, phase: str, sha256) -> None:
        self.record[phase]['sha256'] = sha256
        self.write()
