"""The parts of a run's page that are charts and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from mmal.annotation.records import is_box
from mmal.reporting.charts import SIDES, draw_box_sizes, draw_seconds, draw_shares
from mmal.reporting.components import (
    DASH,
    ReportFigure,
    ReportTable,
    Section,
    decimals_for,
    number,
)
from mmal.reporting.learning_curve import computing_seconds
from mmal.run.history import COUNTS, CurvePoint, main_metric
from mmal.run.layout import PHASES

from .charts import draw_progress, draw_traces
from .run_files import NamedLabel, RunFiles, RunRound, STestReport

MAX_CLASSES = 25
"""Classes in a chart, the most frequent ones."""

MAX_OTHER_METRICS = 2
"""Metrics in the table of the curve, beside the main one and counts of images."""

TRACES = {'CG': 'relative residual', 'LiSSA': '|h| / scale'}
"""What a solver's trace is, by the name of each solver that has one value per iteration."""

GIB = 2**30
"""Bytes of a GiB."""

BEFORE = 'labeled before'
"""Name of what was labeled before the latest query."""


# --- learning curve -----------------------------------------------------------------------------


def curve_section(run: RunFiles) -> Section:
    """The main metric over images, boxes and time, and every round in a table.

    Args:
        run: The run.
    """
    points = _points(run)
    if not points:
        return Section('curve', 'Learning curve', ['No model of the run is evaluated yet.'])
    minutes = [seconds / 60 for seconds in computing_seconds(points)]
    with_boxes = any(point['boxes'] != point['images'] for point in points)
    figures = []
    metric = main_metric(points)
    if metric is not None:
        figures.append(_progress_figure(points, minutes, metric, with_boxes))
    table = _curve_table(points, minutes, metric, with_boxes)
    paragraphs = _first_images(run, points[0], with_boxes)
    return Section('curve', 'Learning curve', paragraphs, figures=figures, tables=[table])


def _first_images(run: RunFiles, first: CurvePoint, with_boxes: bool) -> list[str]:
    """How the first images were chosen; or that they were labeled before the run, and so are no
    part of what it has cost.
    """
    source = run.record.get('given_labels')
    if source is None:
        chosen = run.record.get('cold_start')
        return [f'The first images were chosen {chosen}.'] if chosen else []
    counts = f'{first["images"]} images'
    if with_boxes:
        counts += f' with {first["boxes"]} boxes'
    return [
        f'{counts} were labeled before the run ({source}). They are counted here, and are no part '
        'of what the run has spent.'
    ]


def _points(run: RunFiles) -> list[CurvePoint]:
    """One point for every round whose model is evaluated."""
    points = []
    for run_round in run.rounds:
        if run_round.metrics is None:
            continue
        point = CurvePoint(
            round=run_round.number,
            images=run_round.metrics['images'],
            boxes=run_round.metrics['boxes'],
            metrics=run_round.metrics['metrics'],
            seconds=run_round.seconds,
        )
        points.append(point)
    return points


def _progress_figure(
    points: Sequence[CurvePoint], minutes: Sequence[float], metric: str, with_boxes: bool
) -> ReportFigure:
    axes = dict(images='labeled images')
    if with_boxes:
        axes['boxes'] = 'labeled boxes'
    axes['minutes'] = 'minutes computed'
    drawn = []
    for point, so_far in zip(points, minutes, strict=True):
        value = point['metrics'].get(metric)
        drawn.append(
            dict(images=point['images'], boxes=point['boxes'], minutes=so_far, metric=value)
        )
    return ReportFigure(
        'progress',
        f'Learning curve: {metric} over {", ".join(axes.values())}. The table below holds every '
        'value.',
        f'{metric} of each round\N{RIGHT SINGLE QUOTATION MARK}s model. Minutes are those of all '
        'phases up to its evaluation, as measured; other work on the machine counts, and labeling '
        'by people does not.',
        draw_progress(drawn, metric, axes),
    )


def _curve_table(
    points: Sequence[CurvePoint], minutes: Sequence[float], metric: str | None, with_boxes: bool
) -> ReportTable:
    names = _shown_metrics(points, metric)
    decimals = {name: _decimals(points, name) for name in names}
    columns = ['round', 'images']
    if with_boxes:
        columns.append('boxes')
    columns += ['minutes', *names]
    rows = []
    for point, so_far in zip(points, minutes, strict=True):
        row = [str(point['round']), number(point['images'])]
        if with_boxes:
            row.append(number(point['boxes']))
        row.append(number(so_far, 1))
        for name in names:
            row.append(number(point['metrics'].get(name), decimals[name]))
        rows.append(row)
    return ReportTable('Every round', columns, rows)


def _shown_metrics(points: Sequence[CurvePoint], metric: str | None) -> list[str]:
    """The main metric, a few others, and the counts that are not zero in all rounds.

    There is no main metric where nothing was measured.
    """
    others: dict[str, None] = {}
    for point in points:
        for name in point['metrics']:
            if name != metric and name not in COUNTS:
                others[name] = None
    names = [] if metric is None else [metric]
    names += list(others)[:MAX_OTHER_METRICS]
    for name in COUNTS:
        if any(point['metrics'].get(name) for point in points):
            names.append(name)
    return names


def _decimals(points: Sequence[CurvePoint], name: str) -> int:
    """Decimals that a metric is shown with."""
    if name in COUNTS:
        return 0
    return decimals_for(point['metrics'].get(name, 0) for point in points)


# --- what was chosen ----------------------------------------------------------------------------


def contents_section(run: RunFiles) -> Section | None:
    """Classes and box sizes of the latest query, beside what was labeled before it.

    Args:
        run: The run.

    Returns:
        The section, or None if nothing was chosen yet.
    """
    if not run.queries:
        return None
    latest = run.queries[-1]
    name = latest.title
    if not latest.closed:
        name += ', predicted'
    labels = {name: _query_labels(run, latest), BEFORE: _earlier_labels(run, latest)}
    counts = {}
    for part, of_part in labels.items():
        counts[part] = Counter(label['label'] for label in of_part)
    if not any(counts.values()):
        nothing = 'Nothing is known of what the chosen images hold.'
        return Section('classes', 'Classes and sizes', [nothing])
    total = counts[name] + counts[BEFORE]
    classes = [class_name for class_name, _ in total.most_common()]
    has_boxes = any(is_box(label) for label in labels[name] + labels[BEFORE])
    what = 'boxes' if has_boxes else 'labels'
    title = 'Classes'
    figures = [_classes_figure(counts, classes, name, what)]
    if has_boxes:
        title = 'Classes and sizes'
        figures.append(_sizes_figure(labels))
    rows = []
    for class_name in classes:
        row = [class_name]
        for count in counts.values():
            row.append(number(count[class_name]))
        rows.append(row)
    table = ReportTable(f'Number of {what} by class', ['class', *counts], rows)
    return Section('classes', title, figures=figures, tables=[table])


def _query_labels(run: RunFiles, query: RunRound) -> list[NamedLabel]:
    """Labels of what a round chose, best first; predicted ones until there are others."""
    labels: list[NamedLabel] = []
    for entry in query.chosen:
        if query.closed:
            labels += run.labels.get(entry['id'], [])
            continue
        predictions = entry['predictions']
        if not run.data.has_boxes:
            # Of a whole image, the class that the model is surest of.
            predictions = predictions[:1]
        for prediction in predictions:
            label = NamedLabel(label=run.class_name(prediction['label']))
            if is_box(prediction):
                label['bbox'] = prediction['bbox']
            labels.append(label)
    return labels


def _earlier_labels(run: RunFiles, query: RunRound) -> list[NamedLabel]:
    """Labels of all labeled images but those that a round chose."""
    chosen = {entry['id'] for entry in query.chosen}
    labels: list[NamedLabel] = []
    for image_id, of_image in run.labels.items():
        if image_id not in chosen:
            labels += of_image
    return labels


def _classes_figure(
    counts: Mapping[str, Counter[str]], classes: Sequence[str], query: str, what: str
) -> ReportFigure:
    """Share of each class.

    Args:
        counts: Number of labels by class, by what they are of.
        classes: Names of the classes, the most frequent first.
        query: Name of the query.
        what: 'boxes' or 'labels'.
    """
    shares = {}
    for part, count in counts.items():
        total = max(1, sum(count.values()))
        shares[part] = [count[name] / total for name in classes]
    table = pd.DataFrame(shares, list(classes))[:MAX_CLASSES]
    caption = f'Share of each class among the {what}.'
    if len(classes) > MAX_CLASSES:
        caption += f' The {MAX_CLASSES} most frequent of {len(classes)} classes.'
    return ReportFigure(
        'class_shares',
        f'Bar chart: share of each class among the {what} of {query}, and before. The table below '
        'holds the numbers.',
        caption,
        draw_shares(table, list(counts), f'% of the {what}'),
    )


def _sizes_figure(labels: Mapping[str, Sequence[NamedLabel]]) -> ReportFigure:
    """Share of boxes by size.

    Args:
        labels: Boxes by what they are of.
    """
    shares = {}
    medians = []
    for part, boxes in labels.items():
        sides = pd.Series([_side(box) for box in boxes], dtype=float)
        bins = pd.cut(sides, list(SIDES), right=False)
        shares[part] = bins.value_counts(sort=False) / max(1, len(sides))
        if len(sides):
            medians.append(f'median of {part}: {number(sides.median(), 1)} pixels')
    text = '; '.join(medians)
    return ReportFigure(
        'sizes',
        f'Chart: share of boxes by size. {text}.',
        'Share of the boxes by the side of a square of equal area, in steps of the square root of '
        '2. Dotted: the limits of small, medium and large, 32 and 96. '
        f'{text[:1].upper() + text[1:]}.',
        draw_box_sizes(pd.DataFrame(shares), SIDES, list(labels)),
    )


def _side(box: NamedLabel) -> float:
    """Side of the square that has the area of a box, in pixels."""
    _, _, width, height = box['bbox']
    side: float = max(0, width * height) ** 0.5
    return side


# --- s_test -------------------------------------------------------------------------------------


def s_test_section(run: RunFiles) -> Section | None:
    """Convergence of s_test, and how far it is from the reference gradient.

    Args:
        run: The run.

    Returns:
        The section, or None if no round has an s_test.
    """
    reports = {}
    for run_round in run.rounds:
        if run_round.s_test is not None:
            reports[run_round.title] = run_round.s_test
    if not reports:
        return None
    columns = ['query', 'solver', 'cos(s_test, v)', 'iterations', 'residual', 'converged']
    columns += ['parameters', 'reference images', 'seconds']
    rows = [_s_test_row(title, report) for title, report in reports.items()]
    return Section(
        's_test',
        's_test',
        [
            'cos(s_test, v) compares s_test with the mean gradient v of the reference set: near 1, '
            'the Hessian has changed nothing that matters, and influence is mere gradient '
            'similarity.'
        ],
        _trace_figures(reports),
        [ReportTable('s_test of every query', columns, rows)],
    )


def _trace_figures(reports: Mapping[str, STestReport]) -> list[ReportFigure]:
    """The traces of the solver of the latest round, if it has one that can be drawn."""
    solver = list(reports.values())[-1]['solver']
    if solver not in TRACES:
        return []
    traces = {}
    for title, report in reports.items():
        if report['solver'] == solver:
            traces[title] = report['trace']
    if not any(value > 0 for trace in traces.values() for value in trace):
        return []
    values = TRACES[solver]
    figure = ReportFigure(
        'trace',
        f'Line chart: {values} of {solver} by iteration. The table below says where it ended.',
        f'{values} of {solver}, by iteration.',
        draw_traces(traces, values),
    )
    return [figure]


def _s_test_row(title: str, report: STestReport) -> list[str]:
    return [
        title,
        report['solver'],
        number(report.get('cos_s_test_v'), 4),
        number(report.get('iterations')),
        number(report.get('residual'), 6),
        _yes_or_no(report.get('converged')),
        number(report['n_params']),
        number(report['n_reference']),
        number(report['total_seconds'], 1),
    ]


def _yes_or_no(value: bool | None) -> str:
    if value is None:
        return DASH
    return 'yes' if value else 'no'


# --- seconds ------------------------------------------------------------------------------------


def seconds_section(run: RunFiles) -> Section | None:
    """Seconds by phase of every round.

    Args:
        run: The run.

    Returns:
        The section, or None if no phase is done yet.
    """
    seconds_of = {}
    for run_round in run.rounds:
        if run_round.seconds:
            seconds_of[run_round.title] = run_round.seconds
    if not seconds_of:
        return None
    table = pd.DataFrame(seconds_of).T.astype(float)
    table = table[[phase for phase in PHASES if phase in table]]
    rows = []
    for name, seconds in table.iterrows():
        row = [str(name)]
        for value in seconds:
            row.append(number(value, 1))
        row.append(number(seconds.sum(), 1))
        rows.append(row)
    figure = ReportFigure(
        'seconds',
        'Bar chart: seconds of each query by phase. The table below holds every value.',
        'Seconds of each query, by phase, as measured.',
        draw_seconds(table, 'seconds'),
    )
    columns = ['query', *table.columns, 'total']
    tables = [ReportTable('Seconds of each query, by phase', columns, rows)]
    memory_table = _gpu_memory_table(run)
    if memory_table is None:
        return Section('seconds', 'Seconds', figures=[figure], tables=tables)
    tables.append(memory_table)
    return Section('seconds', 'Seconds and memory', figures=[figure], tables=tables)


def _gpu_memory_table(run: RunFiles) -> ReportTable | None:
    """Peak GPU memory by phase of every round; None where no GPU was used."""
    phases = []
    for phase in PHASES:
        if any(phase in run_round.gpu_bytes for run_round in run.rounds):
            phases.append(phase)
    if not phases:
        return None
    rows = []
    for run_round in run.rounds:
        row = [str(run_round.number)]
        for phase in phases:
            used = run_round.gpu_bytes.get(phase)
            row.append(number(None if used is None else used / GIB, 2))
        rows.append(row)
    title = 'Peak GPU memory of each round, by phase, in GiB: the largest of all processes'
    return ReportTable(title, ['round', *phases], rows)
