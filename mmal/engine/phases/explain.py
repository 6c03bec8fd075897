"""Tell why each selected image was selected."""

from __future__ import annotations

from pathlib import Path

from mmal.explain.describe import explain_selection
from mmal.fileio.text import read_json

from ..context import Round, RunContext
from ..query import build_query
from .base import Phase


class Explain(Phase):
    """Writes ``chosen.json``: predictions, parts of the score and the nearest labeled image of
    every selected image.
    """

    name = 'describe'
    needs = ('train', 'score', 'select')
    collective = True
    records_gpu_memory = True

    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Explain the selection.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of ``chosen.json``.
        """
        selected = read_json(round_.state.artifact('select'))
        query = build_query(run, round_)
        explain_selection(query, selected, artifact, run.sampler, run.data.classes)
