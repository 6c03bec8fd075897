"""The paper's Tables 4 to 11 (ISAL, ICCV 2021, appendix F), digit by digit as printed."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name('paper_tables.json')


@cache
def tables(exact: bool = False) -> dict[int, dict]:
    """All tables by their number; do not change them, they are shared.

    Args:
        exact: Numbers with decimals as ``Decimal`` with every printed digit (89.26399810 keeps its last zero), not as
            floats. Defaults to False.

    Returns:
        Dicts with ``table``, ``caption``, ``dataset``, ``model``, ``metric``, ``unit`` ('percent' or 'fraction'),
        ``repeats`` (runs a mean is of; None: one run), ``initial`` and ``query`` (images, from sections 4.1 to 4.3, E.1
        and E.2; the tables print none), ``note`` and ``methods``: dicts with ``method``, ``metric`` and, for
        detection, ``boxes`` and ``per_10k_boxes`` (10000 * metric / boxes, as printed), a value a step. N/A is None.
    """
    found = json.loads(_FILE.read_text(), parse_float=Decimal if exact else None)
    return {table['table']: table for table in found}


def published_curve(table: int, method: str) -> list[dict]:
    """One method's row of a table, step by step, N/A left out.

    Args:
        table: Number of the table, 4 to 11.
        method: As in the table, e.g. 'ISAL' or 'Learning loss'.

    Returns:
        Dicts with ``step`` (from 1, the initial set), ``images``, ``boxes`` (equal to images for classification, where
        an image has one label) and ``value`` in the table's unit.

    Raises:
        KeyError: If there is no such table or method.
    """
    found = tables()[table]
    rows = {row['method']: row for row in found['methods']}[method]
    points = []
    for step, value in enumerate(rows['metric'], 1):
        if value is not None:
            images = found['initial'] + (step - 1) * found['query']
            boxes = rows['boxes'][step - 1] if 'boxes' in rows else images
            points.append(dict(step=step, images=images, boxes=boxes, value=value))
    return points


def published_methods(table: int) -> list[str]:
    """Names of the methods in a table, in its order."""
    return [row['method'] for row in tables()[table]['methods']]
