"""Train the round's model on what is labeled."""

from __future__ import annotations

from pathlib import Path

from ..context import Round, RunContext
from .base import Phase


class Train(Phase):
    """Writes ``checkpoint.pth``, which mmdet's and mmpretrain's own tools read."""

    name = 'train'
    collective = True

    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Train the model, or continue an interrupted training.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of the checkpoint.

        Raises:
            FloatingPointError: If training left weights that are not finite.
        """
        round_.model.train(artifact)
