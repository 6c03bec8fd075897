"""Have the selected images labeled."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

from mmal.annotation.batch import Batch
from mmal.fileio.text import read_json, write_json
from mmal.oracles.base import OracleResponse, Request
from mmal.pool.cost_model import write_costs
from mmal.pool.score_table import pseudo_boxes_of
from mmal.run.costs import cost_model

from ..batches import batch_for_annotators
from ..context import Round, RunContext
from ..costs import label_counts
from .base import Phase


class Label(Phase):
    """Writes ``labeled.json``: all that is labeled then, for the next round. It closes a round."""

    name = 'label'
    needs = ('score', 'select', 'describe')

    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Ask the oracle. What the labels cost is written to ``costs.csv``.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of ``labeled.json``.

        Raises:
            LabelsPending: If people are to label the images.
        """
        selected = read_json(round_.state.artifact('select'))
        response = _ask_oracle(run, round_, selected)
        write_costs(
            round_.state.paths.costs,
            cost_model(run.paths.work_dir, round_.number),
            _pseudo_boxes(round_, selected),
            label_counts(run, response),
            response.seconds,
        )
        ids, annotations = run.data.read_labeled(round_.labeled_file)
        labeled = run.data.labeled_contents(
            [*ids, *response.ids], [*annotations, *response.annotations]
        )
        write_json(artifact, labeled, indent=None)


def _ask_oracle(run: RunContext, round_: Round, selected: list[Hashable]) -> OracleResponse:
    folder = round_.state.paths.folder

    def make_batch() -> Batch:
        explanations = read_json(round_.state.artifact('describe'))['images']
        return batch_for_annotators(run.data, folder.name, selected, explanations)

    return run.oracle.answer(Request(selected, folder, make_batch))


def _pseudo_boxes(round_: Round, selected: list[Hashable]) -> dict[Hashable, int]:
    """Number of confident predictions by id, of the selected images that have one."""
    id_of = {str(image_id): image_id for image_id in selected}
    counts = pseudo_boxes_of(round_.state.artifact('score'), id_of)
    return {id_of[text]: count for text, count in counts.items()}
