"""Take images in rank order within the budget, and no copy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from math import inf, isfinite
from pathlib import Path
from typing import NamedTuple

from mmal.fileio.text import write_json
from mmal.pool.budget import BudgetUnit, spend
from mmal.pool.copies import KnownContents
from mmal.pool.score_table import candidates_in, marked_bytes
from mmal.run.copies import Copies, describe_left_out, read_near_copies

from ..context import Round, RunContext
from ..copies import copies_of_query, paid_contents
from ..costs import cost_predictor
from .base import Phase


class Select(Phase):
    """Writes ``selected.json``: ids in rank order. The same images are marked in ``scores.csv``.

    An image that is byte-identical to one that is labeled, or to one that was taken before it, is
    left out, and the next one is taken. ``copies.json`` names what was left out.
    """

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
        known = paid_contents(run, round_)
        exact: dict[Hashable, Hashable] = {}
        candidates = _without_exact_copies(round_, known, exact)
        taken = spend(candidates, run.settings.query, _cost(run, round_.number))
        selected = [candidate.id for candidate in taken]
        near = read_near_copies(round_.state.paths)
        near_ids = {entry['id'] for entry in near}
        scores = [candidate.score for candidate in taken if candidate.id not in near_ids]
        copies = copies_of_query(run, known, exact, near, selected, max(scores, default=inf))
        _log_copies(run, round_, copies)
        write_json(round_.state.paths.copies, copies)
        marked = marked_bytes(
            round_.state.artifact('score'),
            run.sampler.column,
            _texts(selected),
            _texts(exact),
            _texts(near_ids),
        )
        round_.state.replace_artifact('score', marked)
        write_json(artifact, selected)


class _Candidate(NamedTuple):
    """An image that may be taken.

    Attributes:
        id: Its id.
        score: Its score; infinite if it is not finite.
        pseudo_boxes: Number of confident predictions; None where the sampler made none.
    """

    id: Hashable
    score: float
    pseudo_boxes: int | None


def _without_exact_copies(
    round_: Round, known: KnownContents, exact: dict[Hashable, Hashable]
) -> Iterator[_Candidate]:
    """The candidates in rank order, each content once.

    ``exact`` receives the original of each copy that is passed over.
    """
    for row in candidates_in(round_.state.artifact('score')):
        image_id = round_.pool.from_text(row.text)
        original = known.admit(image_id)
        if original is not None:
            exact[image_id] = original
            continue
        score = row.score if isfinite(row.score) else inf
        yield _Candidate(image_id, score, row.pseudo_boxes)


def _cost(run: RunContext, number: int) -> Callable[[_Candidate], float]:
    """What labeling a candidate costs, in the unit of the budget."""
    if run.settings.unit is BudgetUnit.IMAGE:
        return lambda candidate: 1
    if run.settings.unit is BudgetUnit.BOX and not run.oracle.is_human:
        return lambda candidate: len(run.data.ground_truth([candidate.id]))
    predicted_cost = cost_predictor(run, number)
    return lambda candidate: predicted_cost(candidate.pseudo_boxes)


def _log_copies(run: RunContext, round_: Round, copies: Copies) -> None:
    if copies['left_out']:
        run.log.info(f'Round {round_.number}: {describe_left_out(copies["left_out"])}.')
    if copies['filled_up']:
        run.log.warning(
            f'Round {round_.number}: the pool has no more images that differ from those chosen or '
            f'labeled. {len(copies["filled_up"])} that almost agree with one of them by their '
            'features fill the query.'
        )


def _texts(ids: Collection[Hashable]) -> list[str]:
    return [str(image_id) for image_id in ids]
