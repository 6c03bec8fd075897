"""What a phase of a round is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from mmal.run.layout import MODEL_PHASES

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

    def enabled(self, run: RunContext, round_: Round) -> bool:
        """Whether a round has the phase.

        By default every round has it, and the last one only if it is one of
        :data:`~mmal.run.layout.MODEL_PHASES`: nothing is trained on what a last round would choose.

        Args:
            run: The run.
            round_: The round.
        """
        return self.name in MODEL_PHASES or not round_.is_last

    @abstractmethod
    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Do the work and write the artifact.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of the file to write.
        """
