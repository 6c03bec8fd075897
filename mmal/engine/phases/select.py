"""Take images in rank order within the budget."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

from mmal.fileio.text import write_json
from mmal.pool.budget import BudgetUnit, spend
from mmal.pool.score_table import ids_in, marked_bytes, pseudo_boxes_in

from ..context import Round, RunContext
from ..costs import cost_predictor
from .base import Phase


class Select(Phase):
    """Writes ``selected.json``: ids in rank order. The same images are marked in ``scores.csv``."""

    name = 'select'
    needs = ('score',)

    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Spend the budget down the ranking.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of ``selected.json``.

        Raises:
            InputError: If the budget is in seconds and no labeling time is known.
        """
        scores = round_.state.artifact('score')
        selected = _within_budget(run, round_, scores)
        marked = marked_bytes(scores, run.sampler.column, len(selected))
        round_.state.replace_artifact('score', marked)
        write_json(artifact, selected)


def _within_budget(run: RunContext, round_: Round, scores: Path) -> list[Hashable]:
    unit = run.settings.unit
    budget = run.settings.query
    ids = map(round_.pool.from_text, ids_in(scores))
    if unit is BudgetUnit.IMAGE:
        return spend(ids, budget, lambda image_id: 1)
    if unit is BudgetUnit.BOX and not run.oracle.is_human:
        return spend(ids, budget, lambda image_id: len(run.data.ground_truth([image_id])))
    predicted_cost = cost_predictor(run, round_.number)
    candidates = zip(ids, pseudo_boxes_in(scores), strict=True)
    taken = spend(candidates, budget, lambda candidate: predicted_cost(candidate[1]))
    return [image_id for image_id, _ in taken]
