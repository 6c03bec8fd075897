"""Score the unlabeled images."""

from __future__ import annotations

from pathlib import Path

from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import json_bytes, read_json
from mmal.pool.score_table import ranked_bytes
from mmal.run.copies import write_near_copies
from mmal.samplers.base import Scores

from ..context import Round, RunContext
from ..query import build_query
from .base import Phase


class Score(Phase):
    """Writes ``scores.csv``: every unlabeled image in rank order, with its score and its number of
    pseudo-boxes.
    """

    name = 'score'
    needs = ('train', 'evaluate')
    collective = True
    records_gpu_memory = True

    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Ask the sampler.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of ``scores.csv``.
        """
        scores = run.sampler.score(build_query(run, round_))
        run_on_rank_zero(lambda: write_scores(run, round_, scores, artifact))


def write_scores(run: RunContext, round_: Round, scores: Scores, file: Path) -> None:
    """Write ``scores.csv``, and count images without a score among the round's metrics. Only rank 0
    calls it.

    Args:
        run: The run.
        round_: The round.
        scores: The sampler's answer.
        file: Path of ``scores.csv``.
    """
    run.unreadable.add(scores.unreadable)
    evaluation = read_json(round_.state.artifact('evaluate'))
    evaluation['metrics']['unreadable_images'] = len(run.unreadable.read())
    evaluation['metrics']['nonfinite_images'] = len(scores.nonfinite)
    round_.state.replace_artifact('evaluate', json_bytes(evaluation))
    write_near_copies(round_.state.paths, scores.near_copies, scores.value)
    ranked = scores.ranked(run.settings.seed, f'ties/{round_.number}')
    write_bytes(file, ranked_bytes(run.sampler.column, ranked, scores.near_copies))
