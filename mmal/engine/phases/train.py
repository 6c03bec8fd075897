"""Train the round's model on what is labeled."""

from __future__ import annotations

from pathlib import Path

from ..context import Round, RunContext, is_given
from .base import Phase


class Train(Phase):
    """Writes ``checkpoint.pth``, which mmdet's and mmpretrain's own tools read."""

    name = 'train'
    collective = True

    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Train the model, continue an interrupted training, or take the model that is given.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of the checkpoint.

        Raises:
            FloatingPointError: If training left weights that are not finite.
            InputError: If the given model is not one of this config and these classes.
        """
        if is_given(run, round_):
            run.log.info(f'Round 0 takes the trained model {run.settings.checkpoint}.')
        round_.model.train(artifact)
