"""What the queries of a run left out because it would have been paid for twice."""

from __future__ import annotations

from collections.abc import Sequence

from mmal.reporting.components import DASH, ReportTable, Section, number
from mmal.run.copies import LeftOut, boxes_saved, describe_left_out, distinct

from .run_files import RunFiles


def copies_section(run: RunFiles) -> Section | None:
    """Number of the copies that each query left out, and of all; None where there are none.

    Args:
        run: The run.
    """
    rows = []
    all_left_out: list[LeftOut] = []
    for run_round in run.rounds:
        if run_round.left_out:
            rows.append(_row(str(run_round.number), run_round.left_out))
            all_left_out += run_round.left_out
    if not rows:
        return None
    total = distinct(all_left_out)
    rows.append(_row('all, each image once', total))
    columns = ['round', 'images', 'byte-identical', 'almost identical', 'boxes saved']
    return Section(
        'copies',
        'Copies left out',
        [
            f'{describe_left_out(total)}. An image that is byte-identical to a labeled or chosen '
            'one is never chosen. One whose features are almost those of such an image is ranked '
            'last. copies.json of a round names them and their originals.'
        ],
        tables=[ReportTable('Images that were left out of each query', columns, rows)],
    )


def _row(name: str, left_out: Sequence[LeftOut]) -> list[str]:
    n_exact = sum(entry['kind'] == 'exact' for entry in left_out)
    boxes = boxes_saved(left_out)
    return [
        name,
        number(len(left_out)),
        number(n_exact),
        number(len(left_out) - n_exact),
        DASH if boxes is None else number(boxes),
    ]
