"""What a phase of a round is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from ..context import Round, RunContext


class Phase(ABC):
    """A resumable step of a round: it reads the artifacts of earlier phases, writes one, and keeps
    no state.

    Attributes:
        name: Key of :data:`~mmal.run.layout.PHASES`, which names the artifact.
        needs: Phases whose artifacts are read. They must be done before. Defaults to none.
        collective: Whether every process executes the phase. If not, only rank 0 does, and the
            others wait. Defaults to False.
        records_gpu_memory: Whether the record has the peak of the GPU's memory. A phase in which a
            Runner works cannot tell, because the Runner resets the peak. Defaults to False.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    collective: ClassVar[bool] = False
    records_gpu_memory: ClassVar[bool] = False

    def enabled(self, run: RunContext) -> bool:
        """Whether runs like this one have the phase. By default all have.

        Args:
            run: The run.
        """
        return True

    @abstractmethod
    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Do the work and write the artifact.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of the file to write.
        """
