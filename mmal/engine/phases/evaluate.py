"""Evaluate the round's model."""

from __future__ import annotations

import math
from pathlib import Path

from mmengine.dist import is_main_process

from mmal.fileio.text import write_json

from ..context import Evaluation, Round, RunContext, is_given
from .base import Phase


class Evaluate(Phase):
    """Writes ``metrics.json``: the metrics, and the number of images and boxes that were labeled
    for the model.

    Metrics of a given model are left out where the user wants it so.
    """

    name = 'evaluate'
    needs = ('train',)
    collective = True

    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Evaluate the model.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of ``metrics.json``.
        """
        metrics: dict[str, float] = {}
        if run.settings.evaluate_checkpoint or not is_given(run, round_):
            evaluation = round_.model.evaluate()
            metrics = {name: float(value) for name, value in evaluation.metrics.items()}
            _tell(run, round_, evaluation)
        metrics['unreadable_images'] = len(run.unreadable.read())
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        trained_on = run.data.read_labeled(round_.labeled_file)
        held_out = run.data.read_labeled(run.paths.holdout)
        if is_main_process():
            content = dict(
                images=len(trained_on[0]) + len(held_out[0]),
                boxes=len(trained_on[1]) + len(held_out[1]),
                metrics=finite,
            )
            write_json(artifact, content)


def _tell(run: RunContext, round_: Round, evaluation: Evaluation) -> None:
    """Warn of a model that detects nothing."""
    names = evaluation.without_detection
    if not names:
        return
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    run.log.warning(
        f'{round_.title.capitalize()}: nothing was detected on the evaluation set, so '
        f'{", ".join(names[:3])}{more} are 0. The model has hardly learned yet, or '
        'model.test_cfg.score_thr is above all its scores: train longer, or lower it.'
    )
