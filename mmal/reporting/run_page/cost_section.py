"""What labels were predicted to cost, beside what they came to."""

from __future__ import annotations

from mmal.fileio.text import read_csv
from mmal.pool.cost_model import COSTS_FILE
from mmal.reporting.components import ReportTable, Section, number

from .run_files import RunFiles

UNITS = ('boxes', 'seconds')


def cost(run: RunFiles) -> Section | None:
    """Boxes and seconds of each labeled batch; None where neither was predicted and counted."""
    files = {f.parent.name: f for f in sorted(run.work_dir.glob(f'*/{COSTS_FILE}'))}
    batches = {name: read_csv(f) for name, f in files.items()}
    known = [
        u
        for u in UNITS
        if any(row[u] and row[f'predicted_{u}'] for rows in batches.values() for row in rows)
    ]
    if not run.data.has_boxes:
        known = [u for u in known if u != 'boxes']  # one label an image: nothing is predicted
    if not known:
        return None
    rows = [
        [name, number(len(batch)), *(cell for unit in known for cell in _sums(batch, unit))]
        for name, batch in batches.items()
    ]
    columns = [
        'batch',
        'images',
        *(
            f'{unit} {what}'
            for unit in known
            for what in ('predicted', 'in truth', 'apart an image')
        ),
    ]
    return Section(
        'cost',
        'Cost of labels',
        [
            'Predicted when the images were chosen, from their pseudo-boxes: by their number until two rounds are labeled, '
            'then by a line fitted to what was labeled so far. Apart an image: mean absolute difference.'
        ],
        [],
        [ReportTable('Cost of each batch', columns, rows)],
    )


def _sums(batch: list[dict], unit: str) -> list[str]:
    """Predicted and true sum and mean absolute difference, over images where both are known."""
    known = [row for row in batch if row[unit] and row[f'predicted_{unit}']]
    pairs = [(float(row[f'predicted_{unit}']), float(row[unit])) for row in known]
    if not pairs:
        return ['\N{EN DASH}'] * 3
    apart = sum(abs(said - true) for said, true in pairs) / len(pairs)
    return [
        number(sum(said for said, _ in pairs), 1),
        number(sum(true for _, true in pairs), 1),
        number(apart, 2),
    ]
