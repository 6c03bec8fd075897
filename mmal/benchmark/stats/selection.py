"""What each method chose: classes, box sizes and empty images of every query."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmal.benchmark.results import Comparison, RunResult
from mmal.fileio.text import read_json
from mmal.reporting.charts import SIDES

SELECTION_COLUMNS = (
    'method',
    'seed',
    'round',
    'images',
    'labels',
    'empty',
    'small',
    'medium',
    'large',
    'classes',
    'balance',
)


@dataclass(frozen=True)
class QuerySelection:
    """One query.

    Attributes:
        round: Number of the round; the next round's model trains on it.
        ids: Chosen images, in rank order.
        classes: Class name of every label (box) of them.
        areas: Box areas (width x height in pixels), shape (labels,); None for classification.
        empty: Images without a label.
    """

    round: int
    ids: list
    classes: list[str]
    areas: list[float] | None
    empty: int


def read_selections(run: RunResult) -> list[QuerySelection]:
    """The queries of a run, in order.

    A round is left out if its ``selected.json``, or the labels of what it chose, cannot be read.
    """
    selected = {}
    for folder in sorted(run.folder.glob('round_*')):
        ids = _read(folder / 'selected.json')
        if isinstance(ids, list) and folder.name[6:].isdigit():
            selected[int(folder.name[6:])] = (ids, folder)
    labels: dict[str, list[tuple[str, float | None]]] = {}
    for number in sorted(
        selected, reverse=True
    ):  # labeled.json holds the rounds before as well: mostly one is enough
        if not all(str(i) in labels for i in selected[number][0]):
            labels |= _labels(_read(selected[number][1] / 'labeled.json'))
    return [
        _query(number, ids, labels)
        for number, (ids, _) in sorted(selected.items())
        if all(str(i) in labels for i in ids)
    ]


def _read(path):
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None


def _labels(content) -> dict[str, list[tuple[str, float | None]]]:
    """Class and area of every label, by the image's id as text."""
    if isinstance(content, list):
        return {
            str(e['id']): [
                (str(c), None)
                for c in (e['label'] if isinstance(e['label'], list) else [e['label']])
            ]
            for e in content
        }
    if not isinstance(content, dict):
        return {}
    names = {c['id']: str(c['name']) for c in content.get('categories', ())}
    found: dict[str, list] = {str(i['id']): [] for i in content.get('images', ())}
    for a in content.get('annotations', ()):
        name = names.get(a['category_id'], str(a['category_id']))
        found.setdefault(str(a['image_id']), []).append((name, a['bbox'][2] * a['bbox'][3]))
    return found


def _query(number: int, ids: list, labels: dict) -> QuerySelection:
    of = [labels[str(i)] for i in ids]
    flat = [label for image in of for label in image]
    detection = not flat or flat[0][1] is not None
    return QuerySelection(
        number,
        ids,
        [name for name, _ in flat],
        [a for _, a in flat] if detection else None,
        sum(not image for image in of),
    )


def size_group(area: float) -> str:
    """COCO's 'small' (below 32 x 32 pixels), 'medium' or 'large' (96 x 96 and more), here by the box's own area."""
    return 'small' if area < 32**2 else 'medium' if area < 96**2 else 'large'


def balance(counts: Iterable[int], classes: int) -> float:
    """Evenness of a class histogram: its entropy over that of equal counts. 1 is even, 0 is one class only.

    Args:
        counts: Labels of each class.
        classes: Number of classes there could be; with fewer than two, or without labels, NaN.
    """
    counts = [c for c in counts if c]
    if not counts or classes < 2:
        return float('nan')
    total = sum(counts)
    return abs(sum(c / total * math.log(c / total) for c in counts)) / math.log(classes)


Selections = dict[str, dict[int, list[QuerySelection]]]
"""{method: {seed: queries}}."""


def selections_of(comparison: Comparison) -> Selections:
    """The queries of all done runs."""
    return {
        m: {run.seed: read_selections(run) for run in comparison.done(m)}
        for m in comparison.methods
    }


def selection_table(found: Selections) -> pd.DataFrame:
    """A row a query: images, labels, empty images, boxes by COCO size (NaN for classification), classes, balance."""
    known = len(
        {
            name
            for seeds in found.values()
            for qs in seeds.values()
            for q in qs
            for name in q.classes
        }
    )
    rows = []
    for method, seed, q in iterate(found):
        sizes = Counter(map(size_group, q.areas)) if q.areas is not None else None
        sized = {
            g: sizes[g] if sizes is not None else float('nan') for g in ('small', 'medium', 'large')
        }
        counts = Counter(q.classes)
        rows.append(
            dict(
                method=method,
                seed=seed,
                round=q.round,
                images=len(q.ids),
                labels=len(q.classes),
                empty=q.empty,
                classes=len(counts),
                balance=balance(counts.values(), known),
            )
            | sized
        )
    return pd.DataFrame(rows, columns=list(SELECTION_COLUMNS))


def class_table(found: Selections) -> pd.DataFrame:
    """Labels by method, seed, round and class, in columns ``method``, ``seed``, ``round``, ``class``, ``labels``."""
    rows = [
        (method, seed, q.round, name, n)
        for method, seed, q in iterate(found)
        for name, n in sorted(Counter(q.classes).items())
    ]
    return pd.DataFrame(rows, columns=['method', 'seed', 'round', 'class', 'labels'])


def box_size_table(found: Selections) -> pd.DataFrame:
    """Boxes by method, seed, round and side, the square root of the area.

    Returns:
        Columns ``method``, ``seed``, ``round``, ``side_from`` (0 for the first), ``side_to`` (inf for the last) and
        ``boxes``, a row for every bin of :data:`SIDES`; empty for classification.
    """
    edges = np.array([0, *SIDES, np.inf])
    rows = []
    for method, seed, q in iterate(found):
        if q.areas is not None:
            # areas, not sides: their limits are powers of two, which are exact
            bins = (
                np.searchsorted([0, *(2.0**i for i in range(4, 21)), np.inf], q.areas, side='right')
                - 1
            )
            counts = np.bincount(bins, minlength=len(edges) - 1)
            rows += [
                (method, seed, q.round, low, high, int(n))
                for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True)
            ]
    return pd.DataFrame(rows, columns=['method', 'seed', 'round', 'side_from', 'side_to', 'boxes'])


def iterate(found: Selections):
    return (
        (method, seed, q)
        for method, seeds in found.items()
        for seed, queries in seeds.items()
        for q in queries
    )
