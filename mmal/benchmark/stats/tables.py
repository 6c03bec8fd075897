"""Points of all runs, and their means by round, as data frames; tables in the paper's form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypedDict

import pandas as pd

from .budget_curve import is_number

if TYPE_CHECKING:
    from mmal.benchmark.results import Comparison, RunResult
    from mmal.run.history import CurvePoint

POINT_COLUMNS = ('method', 'seed', 'state', 'round', 'images', 'boxes', 'metric')
MEAN_COLUMNS = ('method', 'round', 'n', 'metric', 'sd', 'images', 'boxes', 'per_10k_boxes')


class PointRecord(TypedDict):
    """One point of one run.

    Attributes:
        method: Name of the method.
        seed: Seed of the run.
        state: State of the run, as in :class:`~mmal.benchmark.results.RunResult`.
        round: Number of the round, from 0.
        images: Labeled images of the round's model.
        boxes: Labels of these images.
        metric: Value of the compared metric; None where the round lacks it.
        metrics: All measured metrics by name.
        seconds: Duration by name of the phase.
    """

    method: str
    seed: int
    state: str
    round: int
    images: int
    boxes: int
    metric: float | None
    metrics: dict[str, float]
    seconds: dict[str, float]


def point_records(comparison: Comparison) -> list[PointRecord]:
    """Every point of every run, as read.

    Args:
        comparison: The comparison with its runs.

    Returns:
        One record per point, run after run, those of runs that are not done included.
    """
    records = []
    for run in comparison.runs:
        for point in run.curve:
            records.append(_point_record(run, point, comparison.metric))
    return records


def _point_record(run: RunResult, point: CurvePoint, metric: str) -> PointRecord:
    measured = {name: value for name, value in point['metrics'].items() if is_number(value)}
    return PointRecord(
        method=run.method,
        seed=run.seed,
        state=run.state,
        round=point['round'],
        images=point['images'],
        boxes=point['boxes'],
        metric=measured.get(metric),
        metrics=measured,
        seconds=point['seconds'],
    )


def points_table(comparison: Comparison) -> pd.DataFrame:
    """The records of :func:`point_records` as a flat table.

    Args:
        comparison: The comparison with its runs.

    Returns:
        Columns :data:`POINT_COLUMNS`, one column per metric by its name, and a column
        ``PHASE_seconds`` for each phase.
    """
    rows = []
    for record in point_records(comparison):
        fields: dict[str, Any] = dict(record)
        row = {column: fields[column] for column in POINT_COLUMNS}
        row |= record['metrics']
        for phase, seconds in record['seconds'].items():
            row[f'{phase}_seconds'] = seconds
        rows.append(row)
    table: pd.DataFrame = pd.DataFrame(rows)
    if not rows:
        table = pd.DataFrame(columns=list(POINT_COLUMNS))
    return table


def round_means(comparison: Comparison) -> pd.DataFrame:
    """Means by method and round, over the done runs that have the metric in the round.

    Args:
        comparison: The comparison with its runs.

    Returns:
        Columns ``method``, ``round``, ``n`` (runs in the mean), ``metric``, ``sd`` (sample standard
        deviation, NaN below two runs), ``images``, ``boxes``, and ``per_10k_boxes``: 10000 * mean
        metric / mean boxes, the paper's third row (NaN without boxes). A round that no run has the
        metric in has n = 0, and the mean images and boxes of the runs that reached it.
    """
    rows = []
    for method in comparison.methods:
        points_by_round = _points_by_round(comparison.done(method))
        for number, points in points_by_round.items():
            means = _means_of_round(points, comparison.metric)
            rows.append({'method': method, 'round': number} | means)
    table: pd.DataFrame = pd.DataFrame(rows, columns=list(MEAN_COLUMNS))
    if rows:
        table = table.astype({'n': int, 'round': int})
    return table


def _points_by_round(runs: Iterable[RunResult]) -> dict[int, list[CurvePoint]]:
    """Points of the runs that reached each round, by ascending number of the round."""
    points_by_round: dict[int, list[CurvePoint]] = {}
    for run in runs:
        points_of_run = {point['round']: point for point in run.curve}
        for number, point in points_of_run.items():
            points_by_round.setdefault(number, []).append(point)
    return dict(sorted(points_by_round.items()))


def _means_of_round(points: list[CurvePoint], metric: str) -> dict[str, float]:
    measured = [point for point in points if is_number(point['metrics'].get(metric))]
    counted = measured or points
    values = pd.Series([point['metrics'][metric] for point in measured], dtype=float)
    images = pd.Series([point['images'] for point in counted], dtype=float).mean()
    boxes = pd.Series([point['boxes'] for point in counted], dtype=float).mean()
    per_10k_boxes = 10000 * values.mean() / boxes if boxes else float('nan')
    return {
        'n': len(measured),
        'metric': values.mean(),
        'sd': values.std(ddof=1),
        'images': images,
        'boxes': boxes,
        'per_10k_boxes': per_10k_boxes,
    }


def with_missing(means: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """The means with a column ``missing`` that names the method's runs that are not in them.

    Args:
        means: Table of :func:`round_means`.
        comparison: The comparison with its runs.

    Returns:
        A copy of the table with the column. A method without any run that is done has one row, with
        n = 0.
    """
    methods_with_means = set(means['method'])
    absent = []
    notes = {}
    for method in comparison.methods:
        notes[method] = '; '.join(str(run) for run in comparison.not_done(method))
        if method not in methods_with_means:
            absent.append({'method': method, 'n': 0})
    table: pd.DataFrame
    if len(means):
        table = pd.concat([means, pd.DataFrame(absent)], ignore_index=True)
    else:
        table = pd.DataFrame(absent, columns=list(MEAN_COLUMNS))
    table['round'] = table['round'].astype('Int64')
    table['missing'] = table['method'].map(notes)
    return table


def paper_form(means: pd.DataFrame, metric: str, boxes: bool) -> pd.DataFrame:
    """The means in the form of the paper's Tables 4 to 11: steps across, from 1 (the initial set).

    Args:
        means: Table of :func:`round_means`.
        metric: Name for the first row of each method.
        boxes: Whether to give the boxes and 10k x metric / boxes, as the paper does for detection.

    Returns:
        A table with index (method, row) and one column per step. Row ``n`` is the number of runs in
        each mean.
    """
    columns = {metric: 'metric', 'n': 'n', 'images': 'images'}
    if boxes:
        columns['bbox num'] = 'boxes'
        columns[f'10k x {metric} / bbox num'] = 'per_10k_boxes'
    values_by_step = {}
    for method, part in means.groupby('method', sort=False):
        steps_of_method = part['round'] + 1
        for name, column in columns.items():
            values_by_step[method, name] = dict(zip(steps_of_method, part[column], strict=True))
    all_steps: set[int] = set()
    for values in values_by_step.values():
        all_steps.update(values)
    steps = sorted(all_steps)
    rows = {}
    for key, values in values_by_step.items():
        rows[key] = [values.get(step) for step in steps]
    table: pd.DataFrame = pd.DataFrame.from_dict(rows, orient='index', columns=steps, dtype=float)
    if rows:
        table.index = pd.MultiIndex.from_tuples(list(rows), names=['method', 'row'])
    return table


def seconds_table(comparison: Comparison) -> pd.DataFrame:
    """Mean seconds per round by method and phase, over all rounds of the done runs.

    Args:
        comparison: The comparison with its runs.

    Returns:
        A table with the methods as index and one column per phase, in the order of the rounds'
        records; a phase that never ran is NaN. Column ``total`` is the mean of a round's sum.
        Column ``rounds`` is the number of rounds that the means are of; for a phase that some
        rounds lack, the mean is over the others.
    """
    means_by_method = {}
    for method in comparison.methods:
        records = _seconds_of(comparison.done(method))
        if records:
            seconds = pd.DataFrame(records)
            means = seconds.mean().to_dict()
            means['total'] = seconds.sum(axis=1).mean()
            means['rounds'] = len(records)
            means_by_method[method] = means
    table = pd.DataFrame.from_dict(means_by_method, orient='index')
    phases = _phase_order(_seconds_of(comparison.done()))
    last_columns = [column for column in ('total', 'rounds') if column in table]
    ordered: pd.DataFrame = table[phases + last_columns]
    return ordered


def _seconds_of(runs: Iterable[RunResult]) -> list[dict[str, float]]:
    """Seconds by phase of every round of some runs."""
    records = []
    for run in runs:
        for point in run.curve:
            records.append(point['seconds'])
    return records


def _phase_order(records: Iterable[dict[str, float]]) -> list[str]:
    """All phases; one that only some methods have (s_test) follows its predecessor there."""
    order: list[str] = []
    for record in records:
        position = 0
        for phase in record:
            if phase not in order:
                order.insert(position, phase)
            position = order.index(phase) + 1
    return order
