"""What labels were predicted to cost, beside what they came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mmal.fileio.text import read_csv
from mmal.reporting.components import DASH, ReportTable, Section, number

from .run_files import RunFiles

UNITS = ('boxes', 'seconds')
"""Columns of ``costs.csv`` that have a prediction beside them."""

CostRow = Mapping[str, str]
"""One image in ``costs.csv``; '' where a value is not known."""


def cost_section(run: RunFiles) -> Section | None:
    """Boxes and seconds of each labeled batch; None where neither was predicted and counted.

    Args:
        run: The run.
    """
    batches: dict[str, list[dict[str, str]]] = {}
    for paths in (run.paths.initial_batch, *run.paths.rounds()):
        if paths.costs.exists():
            batches[paths.folder.name] = read_csv(paths.costs)
    units = _known_units(batches.values(), run.data.has_boxes)
    if not units:
        return None
    columns = ['batch', 'images']
    for unit in units:
        columns += [f'{unit} predicted', f'{unit} in truth', f'{unit} apart an image']
    rows = []
    for name, batch in batches.items():
        row = [name, number(len(batch))]
        for unit in units:
            row += _sums(batch, unit)
        rows.append(row)
    return Section(
        'cost',
        'Cost of labels',
        [
            'Predicted when the images were chosen, from their pseudo-boxes: by their number until '
            'two rounds are labeled, then by a line fitted to what was labeled so far. Apart an '
            'image: mean absolute difference.'
        ],
        tables=[ReportTable('Cost of each batch', columns, rows)],
    )


def _known_units(batches: Iterable[Sequence[CostRow]], has_boxes: bool) -> list[str]:
    """Units in which some image has both a prediction and a true value."""
    rows = [row for batch in batches for row in batch]
    units = []
    for unit in UNITS:
        # With one label an image there is nothing to predict.
        if unit == 'boxes' and not has_boxes:
            continue
        if any(_is_known(row, unit) for row in rows):
            units.append(unit)
    return units


def _is_known(row: CostRow, unit: str) -> bool:
    return bool(row[unit] and row[f'predicted_{unit}'])


def _sums(batch: Sequence[CostRow], unit: str) -> list[str]:
    """Predicted and true sum and mean absolute difference, over images where both are known."""
    known = [row for row in batch if _is_known(row, unit)]
    if not known:
        return [DASH] * 3
    predicted = [float(row[f'predicted_{unit}']) for row in known]
    true = [float(row[unit]) for row in known]
    differences = [abs(p - t) for p, t in zip(predicted, true, strict=True)]
    return [
        number(sum(predicted), 1),
        number(sum(true), 1),
        number(sum(differences) / len(known), 2),
    ]
