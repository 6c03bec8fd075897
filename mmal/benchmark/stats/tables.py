"""Points of all runs, and their means by round, as data frames; tables in the paper's form."""

from __future__ import annotations

import pandas as pd

from mmal.benchmark.results import Comparison

from .budget_curve import is_number

POINT_COLUMNS = ('method', 'seed', 'state', 'round', 'images', 'boxes', 'metric')
MEAN_COLUMNS = ('method', 'round', 'n', 'metric', 'sd', 'images', 'boxes', 'per_10k_boxes')


def point_records(comparison: Comparison) -> list[dict]:
    """Every point of every run, as read.

    Returns:
        Dicts with ``method``, ``seed``, ``state`` of the run, ``round``, ``images``, ``boxes``, ``metric`` (the
        compared one; None where the round lacks it), ``metrics`` (all, by name) and ``seconds`` (by phase).
    """
    found = []
    for run in comparison.runs:
        for p in run.curve:
            metrics = {name: value for name, value in p['metrics'].items() if is_number(value)}
            found.append(
                dict(
                    method=run.method,
                    seed=run.seed,
                    state=run.state,
                    round=p['round'],
                    images=p['images'],
                    boxes=p['boxes'],
                    metric=metrics.get(comparison.metric),
                    metrics=metrics,
                    seconds=p['seconds'],
                )
            )
    return found


def points_table(comparison: Comparison) -> pd.DataFrame:
    """The same flat: a column a metric by its name, and ``PHASE_seconds`` a phase."""
    rows = [
        {key: p[key] for key in POINT_COLUMNS}
        | p['metrics']
        | {f'{k}_seconds': v for k, v in p['seconds'].items()}
        for p in point_records(comparison)
    ]
    table = pd.DataFrame(rows)
    return table if rows else pd.DataFrame(columns=list(POINT_COLUMNS))


def round_means(comparison: Comparison) -> pd.DataFrame:
    """Means by method and round, over the done runs that reached the round and have the metric there.

    Returns:
        Columns ``method``, ``round``, ``n`` (runs in the mean), ``metric``, ``sd`` (sample standard deviation, NaN
        below two runs), ``images``, ``boxes``, and ``per_10k_boxes``: 10000 * mean metric / mean boxes, the paper's
        third row (NaN without boxes). A round that no run has the metric in has n = 0, and the mean images and boxes of
        those that reached it.
    """
    rows = []
    for method in comparison.methods:
        runs = [{p['round']: p for p in run.curve} for run in comparison.done(method)]
        for number in sorted({r for run in runs for r in run}):
            reached = [run[number] for run in runs if number in run]
            kept = [p for p in reached if is_number(p['metrics'].get(comparison.metric))]
            rows.append(
                dict(method=method, round=number, n=len(kept))
                | _means(kept, reached, comparison.metric)
            )
    return pd.DataFrame(rows, columns=list(MEAN_COLUMNS)).astype(
        dict(n=int, round=int) if rows else {}
    )


def _means(kept: list[dict], reached: list[dict], metric: str) -> dict:
    values = pd.Series([p['metrics'][metric] for p in kept], dtype=float)
    images, boxes = (
        pd.Series([p[unit] for p in kept or reached], dtype=float).mean()
        for unit in ('images', 'boxes')
    )
    return dict(
        metric=values.mean(),
        sd=values.std(ddof=1),
        images=images,
        boxes=boxes,
        per_10k_boxes=10000 * values.mean() / boxes if boxes else float('nan'),
    )


def with_missing(means: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """The means with a column ``missing`` that names the method's runs that are not in them.

    A method without any run that is done has one row, with n = 0.
    """
    notes = {m: '; '.join(map(str, comparison.not_done(m))) for m in comparison.methods}
    absent = [dict(method=m, n=0) for m in comparison.methods if m not in set(means['method'])]
    table = (
        pd.concat([means, pd.DataFrame(absent)], ignore_index=True)
        if len(means)
        else pd.DataFrame(absent, columns=list(MEAN_COLUMNS))
    )
    table['round'] = table['round'].astype('Int64')
    return table.assign(missing=table['method'].map(notes))


def paper_form(means: pd.DataFrame, metric: str, boxes: bool) -> pd.DataFrame:
    """The means in the form of the paper's Tables 4 to 11: steps across, from 1 (the initial set).

    Args:
        means: Of :func:`round_means`.
        metric: Name for the first row of each method.
        boxes: Whether to give the boxes and 10k x metric / boxes, as the paper does for detection.

    Returns:
        Index (method, row), a column a step; ``n`` is the runs in each mean.
    """
    rows = {metric: 'metric', 'n': 'n', 'images': 'images'}
    if boxes:
        rows |= {'bbox num': 'boxes', f'10k x {metric} / bbox num': 'per_10k_boxes'}
    found = {}
    for method, part in means.groupby('method', sort=False):
        for name, column in rows.items():
            found[method, name] = dict(zip(part['round'] + 1, part[column], strict=True))
    steps = sorted({step for row in found.values() for step in row})
    table = pd.DataFrame.from_dict(
        {key: [row.get(s) for s in steps] for key, row in found.items()},
        orient='index',
        columns=steps,
        dtype=float,
    )
    table.index = (
        pd.MultiIndex.from_tuples(list(found), names=['method', 'row']) if found else table.index
    )
    return table


def seconds_table(comparison: Comparison) -> pd.DataFrame:
    """Mean seconds a round by method and phase, over all rounds of the done runs; a phase that never ran is NaN.

    Returns:
        Index method, a column a phase in the order of the rounds' records, then ``total`` (mean of a round's sum) and
        ``rounds`` (how many the means are of; a phase that some rounds lack is a mean over the others).
    """
    found = {}
    for method in comparison.methods:
        rounds = [p['seconds'] for run in comparison.done(method) for p in run.curve]
        if rounds:
            seconds = pd.DataFrame(rounds)
            found[method] = seconds.mean().to_dict() | dict(
                total=seconds.sum(axis=1).mean(), rounds=len(rounds)
            )
    table = pd.DataFrame.from_dict(found, orient='index')
    ends = [c for c in ('total', 'rounds') if c in table]
    return table[_phase_order(comparison) + ends]


def _phase_order(comparison: Comparison) -> list[str]:
    """All phases; one that only some methods have (s_test) goes after the phase before it in their records."""
    order: list[str] = []
    for record in (p['seconds'] for run in comparison.done() for p in run.curve):
        after = 0
        for phase in record:
            if phase not in order:
                order.insert(after, phase)
            after = order.index(phase) + 1
    return order
