"""Which phases of a round are finished, what they left and how long they took."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TypedDict

from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import (
    digest_bytes,
    digest_file,
    find_corruption,
    read_checksummed,
    write_checksummed,
)

from .batch_checksums import record_checksums
from .layout import PHASES, BatchPaths, RunPaths
from .resume_points import remove_points


class PhaseRecord(TypedDict, total=False):
    """What is recorded of a finished phase.

    Attributes:
        seconds: Duration of the phase.
        gpu_bytes: Most GPU memory that tensors took in any process, in bytes. Absent without a GPU,
            and for phases that do not record it.
        sha256: Checksum of its artifact. While the artifact is being replaced it is a list of the
            checksums that the artifact may have.
        batch: Checksums of the files of the labeled batch, by name. Only the last phase has it.
    """

    seconds: float
    gpu_bytes: int
    sha256: str | list[str]
    batch: dict[str, str]


def clear_unfinished(batch: BatchPaths) -> None:
    """Remove what an interrupted training or pass over the pool would have continued from.

    Args:
        batch: Files of the round, or of the initial batch.
    """
    remove_points(batch.folder)
    if batch.passes.exists():
        shutil.rmtree(batch.passes)


class RoundState:
    """The record ``phases.json`` of a round.

    The record is written before the first phase runs, so that artifacts without a record show that
    it was lost.

    Args:
        work_dir: Work directory of the run.
        number: Number of the round, from 0.

    Attributes:
        paths: Files of the round.
        record: What is recorded, by phase.

    Raises:
        CorruptStateError: If the record is not what was written.
    """

    def __init__(self, work_dir: str | Path, number: int) -> None:
        self.paths = RunPaths(Path(work_dir)).round(number)
        self.record: dict[str, PhaseRecord] = {}
        if self.paths.record.exists():
            self.record = read_checksummed(self.paths.record)

    @property
    def number(self) -> int:
        """Number of the round, from 0."""
        return self.paths.number

    def artifact(self, phase: str) -> Path:
        """The file that a phase leaves.

        Args:
            phase: A key of :data:`~mmal.run.layout.PHASES`.
        """
        return self.paths.artifact(phase)

    def create_record(self) -> None:
        """Write an empty record if there is none yet. Only rank 0 calls it."""
        if not self.paths.record.exists():
            self.write()

    def write(self) -> None:
        """Write the record. Only rank 0 calls it."""
        write_checksummed(self.paths.record, self.record)

    def done(self, phase: str) -> bool:
        """Whether a phase is finished and its artifact exists.

        Artifacts are written whole or not at all.
        """
        return phase in self.record and self.artifact(phase).exists()

    @property
    def evaluated(self) -> bool:
        """Whether the round's model is trained and evaluated. With that a last round ends."""
        return self.done('evaluate')

    @property
    def closed(self) -> bool:
        """Whether what the round chose is labeled, so that the next round can be trained."""
        return self.done('label')

    @property
    def batch(self) -> dict[str, str]:
        """Checksums of the files of the labeled batch, by name.

        Empty before the round is closed.
        """
        return self.record.get('label', {}).get('batch', {})

    def find_corruption(self) -> dict[str, str]:
        """What is wrong with the artifacts of finished phases, by phase. Empty if all are whole."""
        corruption = {}
        for phase, entry in self.record.items():
            message = find_corruption(self.artifact(phase), entry.get('sha256'))
            if message:
                corruption[phase] = message
        return corruption

    def finish(self, phase: str, seconds: float, gpu_bytes: int = 0) -> None:
        """Record that a phase is finished; its artifact must have been written.

        Only rank 0 calls it.

        Args:
            phase: Name of the phase.
            seconds: Duration of the phase.
            gpu_bytes: Most GPU memory that tensors took in any process, in bytes. Defaults to 0:
                there is nothing to record.
        """
        self.invalidate_from(phase)
        entry = PhaseRecord(seconds=seconds, sha256=digest_file(self.artifact(phase)))
        if gpu_bytes:
            entry['gpu_bytes'] = gpu_bytes
        if phase == 'label':
            entry['batch'] = record_checksums(self.paths.folder)
        self.record[phase] = entry
        self.write()
        # Of this phase, or of a model that was trained before.
        clear_unfinished(self.paths)

    def invalidate_from(self, phase: str) -> None:
        """Drop a phase and all later ones from the record in memory.

        Args:
            phase: Name of the phase.
        """
        phases = list(PHASES)
        earlier = phases[: phases.index(phase)]
        self.record = {name: entry for name, entry in self.record.items() if name in earlier}

    def replace_artifact(self, phase: str, content: bytes) -> None:
        """Replace the artifact of a finished phase. Only rank 0 calls it.

        The new checksum is recorded beside the old one before the file is replaced, so that the
        record fits whichever of the two files a kill leaves.

        Args:
            phase: Name of the phase.
            content: New content of the file.
        """
        known = self.record[phase].get('sha256') or []
        if isinstance(known, str):
            known = [known]
        new = digest_bytes(content)
        if known:
            self._record_checksum(phase, [*known, new])
        write_bytes(self.artifact(phase), content)
        self._record_checksum(phase, new)

    def _record_checksum(self, phase: str, sha256: str | list[str]) -> None:
        self.record[phase]['sha256'] = sha256
        self.write()
