"""The paper's Tables 4 to 11 (ISAL, ICCV 2021, appendix F), digit by digit as printed."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TypedDict

_FILE = Path(__file__).with_name('paper_tables.json')


class _PaperRowBase(TypedDict):
    method: str
    metric: list[float | None]


class PaperRow(_PaperRowBase, total=False):
    """One method's part of a table, with one value per step; N/A is None.

    Attributes:
        method: Name of the method, as printed.
        metric: Values of the metric.
        boxes: Labeled boxes; for detection only.
        per_10k_boxes: 10000 * metric / boxes, as printed; for detection only.
    """

    boxes: list[float | None]
    per_10k_boxes: list[float | None]


class PaperTable(TypedDict):
    """One table of the paper.

    Attributes:
        table: Number of the table.
        caption: Caption, as printed.
        dataset: Name of the data set.
        model: Name of the model.
        metric: Name of the metric.
        unit: 'percent' or 'fraction'.
        repeats: Number of runs that a mean is of; None for one run.
        initial: Number of initial images, from sections 4.1 to 4.3, E.1 and E.2; the tables print
            none.
        query: Number of images per query, from the same sections.
        note: Remark on the table, or None.
        methods: The methods' rows.
    """

    table: int
    caption: str
    dataset: str
    model: str
    metric: str
    unit: str
    repeats: int | None
    initial: int
    query: int
    note: str | None
    methods: list[PaperRow]


class PublishedPoint(TypedDict):
    """One step of a published curve.

    Attributes:
        step: Number of the step, from 1, which is the initial set.
        images: Number of labeled images.
        boxes: Number of labeled boxes; equal to images for classification, where an image has one
            label.
        value: Metric in the table's unit.
    """

    step: int
    images: int
    boxes: float
    value: float


@cache
def tables(exact: bool = False) -> dict[int, PaperTable]:
    """All tables by their number; do not change them, they are shared.

    Args:
        exact: Whether to read numbers with decimals as ``Decimal`` with every printed digit
            (89.26399810 keeps its last zero), not as floats. Defaults to False.

    Returns:
        The tables by number, in the paper's order.
    """
    entries: list[PaperTable] = json.loads(
        _FILE.read_text(encoding='utf-8'), parse_float=Decimal if exact else None
    )
    return {entry['table']: entry for entry in entries}


def published_curve(table: int, method: str) -> list[PublishedPoint]:
    """One method's row of a table, step by step, N/A left out.

    Args:
        table: Number of the table, 4 to 11.
        method: Name as in the table, e.g. 'ISAL' or 'Learning loss'.

    Returns:
        One point per step that was run.

    Raises:
        KeyError: If there is no such table or method.
    """
    content = tables()[table]
    rows = {row['method']: row for row in content['methods']}
    row = rows[method]
    points = []
    for index, value in enumerate(row['metric']):
        images = content['initial'] + index * content['query']
        boxes = row['boxes'][index] if 'boxes' in row else images
        if value is not None and boxes is not None:
            point = PublishedPoint(step=index + 1, images=images, boxes=boxes, value=value)
            points.append(point)
    return points


def published_methods(table: int) -> list[str]:
    """Names of the methods in a table, in its order.

    Args:
        table: Number of the table, 4 to 11.
    """
    return [row['method'] for row in tables()[table]['methods']]
