"""A round's folder: which phases are done, what they left, how long they took."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mmengine import dist

from .artifacts import read_json, write_json

PHASES = dict(train='checkpoint.pth', evaluate='metrics.json', s_test='s_test.pth', score='scores.csv',
              select='selected.json', label='labeled.json')
"""Phases of a round in their order, each with the file that is its result. The last closes the round."""


class RoundFolder:
    """``round_XX``, and the record ``phases.json`` in it: {phase: {seconds}}.

    Args:
        work_dir: Of the run.
        number: Of the round, from 0.
    """

    def __init__(self, work_dir: str | Path, number: int) -> None:
        self.number = number
        self.path = Path(work_dir) / f'round_{number:02d}'
        record = self.path / 'phases.json'
        self.record: dict[str, dict] = read_json(record) if record.exists() else {}

    def artifact(self, phase: str) -> Path:
        return self.path / PHASES[phase]

    def done(self, phase: str) -> bool:
        """Whether a phase was finished and its file is still there; files are written whole or not at all."""
        return phase in self.record and self.artifact(phase).exists()

    @property
    def closed(self) -> bool:
        """Whether every phase is done."""
        return self.done('label')

    def run(self, phase: str, work: Callable[[Path], None], logger) -> None:
        """Run a phase unless it is done; ``work`` writes the artifact it is given the path of.

        Every process of a group calls this; the record is rank 0's.
        """
        if self.done(phase):
            logger.info(f'Round {self.number}: {phase} is done already.')
            return
        start = time.perf_counter()
        self.path.mkdir(parents=True, exist_ok=True)
        work(self.artifact(phase))
        dist.barrier()
        seconds = round(time.perf_counter() - start, 3)
        later = list(PHASES)[list(PHASES).index(phase):]
        self.record = {p: e for p, e in self.record.items() if p not in later}
        self.record[phase] = dict(seconds=seconds)
        if dist.is_main_process():
            write_json(self.path / 'phases.json', self.record)
        dist.barrier()
        logger.info(f'Round {self.number}: {phase} took {seconds:.1f} s.')
