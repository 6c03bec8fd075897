"""What each method chose: classes, box sizes and empty images of every query."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from mmal.fileio.text import read_json
from mmal.reporting.charts import SIDES
from mmal.run.layout import RoundPaths, RunPaths

if TYPE_CHECKING:
    from mmal.benchmark.results import Comparison, RunResult

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
CLASS_COLUMNS = ('method', 'seed', 'round', 'class', 'labels')
BOX_SIZE_COLUMNS = ('method', 'seed', 'round', 'side_from', 'side_to', 'boxes')

SIZE_GROUPS = ('small', 'medium', 'large')
"""COCO's groups of box sizes, see :func:`size_group`."""


@dataclass(frozen=True)
class QuerySelection:
    """What one query chose.

    Attributes:
        round: Number of the round; the next round's model is trained on the images.
        ids: Ids of the chosen images, in rank order.
        classes: Class name of every label (box) of these images.
        areas: Box areas (width x height in square pixels), shape (labels,); None for
            classification.
        empty: Number of images without a label.
    """

    round: int
    ids: list[Hashable]
    classes: list[str]
    areas: list[float] | None
    empty: int


Selections = dict[str, dict[int, list[QuerySelection]]]
"""Queries of all done runs: {method: {seed: queries}}."""


class _Label(NamedTuple):
    """One label of an image; the area is None for classification."""

    name: str
    area: float | None


_Labels = dict[str, list[_Label]]
"""Labels by the image's id as text."""


def selections_of(comparison: Comparison) -> Selections:
    """Read the queries of all done runs.

    Args:
        comparison: The comparison with its runs.

    Returns:
        Queries by method and seed, with an entry for every method.
    """
    selections: Selections = {}
    for method in comparison.methods:
        selections[method] = {}
        for run in comparison.done(method):
            selections[method][run.seed] = read_selections(run)
    return selections


def read_selections(run: RunResult) -> list[QuerySelection]:
    """Read the queries of a run, in order.

    A round is left out if its ``selected.json``, or the labels of what it chose, cannot be read.

    Args:
        run: The run.

    Returns:
        One entry per readable round.
    """
    ids_by_round = {}
    rounds = RunPaths(run.folder).rounds()
    for paths in rounds:
        ids = _read_if_possible(paths.artifact('select'))
        if isinstance(ids, list):
            ids_by_round[paths.number] = ids
    labels = _read_labels(rounds, ids_by_round)
    queries = []
    for number, ids in ids_by_round.items():
        if _all_labeled(ids, labels):
            queries.append(_query(number, ids, labels))
    return queries


def _read_labels(rounds: list[RoundPaths], ids_by_round: dict[int, list[Hashable]]) -> _Labels:
    """Labels of the chosen images.

    The file of a round holds those of the rounds before as well, so mostly the last one is enough.
    """
    labels: _Labels = {}
    for paths in reversed(rounds):
        ids = ids_by_round.get(paths.number, [])
        if not _all_labeled(ids, labels):
            labels |= _parse_labels(_read_if_possible(paths.artifact('label')))
    return labels


def _all_labeled(ids: list[Hashable], labels: _Labels) -> bool:
    return all(str(image_id) in labels for image_id in ids)


def _read_if_possible(path: Path) -> Any:
    """Content of a JSON file, or None if it cannot be read."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None


def _parse_labels(content: Any) -> _Labels:
    """Labels in the content of a ``labeled.json``; none if there is no content."""
    if isinstance(content, list):
        return _parse_image_labels(content)
    if isinstance(content, dict):
        return _parse_coco(content)
    return {}


def _parse_image_labels(entries: list[dict[str, Any]]) -> _Labels:
    """Labels of whole images, one or several classes each."""
    labels: _Labels = {}
    for entry in entries:
        classes = entry['label']
        if not isinstance(classes, list):
            classes = [classes]
        labels[str(entry['id'])] = [_Label(str(index), None) for index in classes]
    return labels


def _parse_coco(content: dict[str, Any]) -> _Labels:
    """Boxes of a COCO file, with an entry for images without a box."""
    names = {}
    for category in content.get('categories', ()):
        names[category['id']] = str(category['name'])
    labels: _Labels = {}
    for image in content.get('images', ()):
        labels[str(image['id'])] = []
    for annotation in content.get('annotations', ()):
        category_id = annotation['category_id']
        name = names.get(category_id, str(category_id))
        box = annotation['bbox']
        label = _Label(name, box[2] * box[3])
        labels.setdefault(str(annotation['image_id']), []).append(label)
    return labels


def _query(number: int, ids: list[Hashable], labels: _Labels) -> QuerySelection:
    chosen: list[_Label] = []
    empty = 0
    for image_id in ids:
        labels_of_image = labels[str(image_id)]
        chosen += labels_of_image
        if not labels_of_image:
            empty += 1
    classes = [label.name for label in chosen]
    areas = [label.area for label in chosen if label.area is not None]
    is_classification = bool(chosen) and chosen[0].area is None
    return QuerySelection(number, ids, classes, None if is_classification else areas, empty)


def size_group(area: float) -> str:
    """COCO's group of a box size, here by the box's own area.

    Args:
        area: Area of the box in square pixels.

    Returns:
        'small' (below 32 x 32 pixels), 'medium' or 'large' (96 x 96 and more).
    """
    if area < 32**2:
        return 'small'
    if area < 96**2:
        return 'medium'
    return 'large'


def balance(counts: Iterable[int], classes: int) -> float:
    """Evenness of a class histogram: its entropy over that of equal counts.

    Args:
        counts: Number of labels of each class.
        classes: Number of classes there could be.

    Returns:
        1 for an even histogram, 0 for one class only; NaN with fewer than two classes or without
        labels.
    """
    filled = [count for count in counts if count]
    if not filled or classes < 2:
        return float('nan')
    total = sum(filled)
    entropy = sum(count / total * math.log(count / total) for count in filled)
    return abs(entropy) / math.log(classes)


def iterate(selections: Selections) -> Iterator[tuple[str, int, QuerySelection]]:
    """Iterate over all queries.

    Args:
        selections: Queries of :func:`selections_of`.

    Yields:
        Method, seed and query.
    """
    for method, queries_by_seed in selections.items():
        for seed, queries in queries_by_seed.items():
            for query in queries:
                yield method, seed, query


def selection_table(selections: Selections) -> pd.DataFrame:
    """What each query chose, in numbers.

    Args:
        selections: Queries of :func:`selections_of`.

    Returns:
        One row per query with its method, seed and round, and the numbers of images, labels and
        empty images, the number of boxes in each of COCO's size groups (NaN for classification),
        the number of classes, and their balance over the classes that any query chose.
    """
    known_classes = set()
    for _, _, query in iterate(selections):
        known_classes.update(query.classes)
    rows = []
    for method, seed, query in iterate(selections):
        row = {'method': method, 'seed': seed} | _numbers(query, len(known_classes))
        rows.append(row)
    table: pd.DataFrame = pd.DataFrame(rows, columns=list(SELECTION_COLUMNS))
    return table


def _numbers(query: QuerySelection, known_classes: int) -> dict[str, float]:
    labels_by_class = Counter(query.classes)
    numbers = {
        'round': query.round,
        'images': len(query.ids),
        'labels': len(query.classes),
        'empty': query.empty,
        'classes': len(labels_by_class),
        'balance': balance(labels_by_class.values(), known_classes),
    }
    if query.areas is None:
        return numbers | dict.fromkeys(SIZE_GROUPS, float('nan'))
    boxes_by_group = Counter(size_group(area) for area in query.areas)
    return numbers | {group: boxes_by_group[group] for group in SIZE_GROUPS}


def class_table(selections: Selections) -> pd.DataFrame:
    """Labels by method, seed, round and class.

    Args:
        selections: Queries of :func:`selections_of`.

    Returns:
        Columns ``method``, ``seed``, ``round``, ``class`` and ``labels``.
    """
    rows = []
    for method, seed, query in iterate(selections):
        for name, labels in sorted(Counter(query.classes).items()):
            rows.append((method, seed, query.round, name, labels))
    table: pd.DataFrame = pd.DataFrame(rows, columns=list(CLASS_COLUMNS))
    return table


def box_size_table(selections: Selections) -> pd.DataFrame:
    """Boxes by method, seed, round and side, the square root of the area.

    Args:
        selections: Queries of :func:`selections_of`.

    Returns:
        Columns ``method``, ``seed``, ``round``, ``side_from`` (0 for the first), ``side_to`` (inf
        for the last) and ``boxes``, with one row for every bin of
        :data:`~mmal.reporting.charts.SIDES`; no rows for classification.
    """
    side_edges = np.array([0, *SIDES, np.inf])
    # Areas are put into bins, not sides: their limits are powers of two, which are exact.
    area_edges = np.array([0.0, *(2.0**exponent for exponent in range(4, 21)), np.inf])
    rows = []
    for method, seed, query in iterate(selections):
        if query.areas is None:
            continue
        bins = np.searchsorted(area_edges, query.areas, side='right') - 1
        boxes_by_bin = np.bincount(bins, minlength=len(SIDES) + 1)
        bounds = zip(side_edges[:-1], side_edges[1:], boxes_by_bin, strict=True)
        for side_from, side_to, boxes in bounds:
            rows.append((method, seed, query.round, side_from, side_to, int(boxes)))
    table: pd.DataFrame = pd.DataFrame(rows, columns=list(BOX_SIZE_COLUMNS))
    return table
