"""The sections of curves: differences from the baseline, learning curves, and single seeds."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mmal.benchmark.isal_paper.published import PublishedPoint
from mmal.benchmark.results import Comparison
from mmal.benchmark.stats.differences import difference_curve
from mmal.reporting.components import ReportFigure, Section

from .curves import draw_curves
from .difference_chart import draw_differences
from .seeds_chart import draw_seeds


def differences_section(comparison: Comparison, baseline: str) -> Section:
    """A chart for each unit of cost: every method less the baseline.

    Args:
        comparison: The comparison with its runs.
        baseline: Name of the baseline, which has a done run.
    """
    figures = []
    for unit in reversed(comparison.units):
        curves = {}
        for method in comparison.methods:
            if method != baseline and comparison.done(method):
                curves[method] = difference_curve(comparison, method, unit)
        figure = ReportFigure(
            f'differences_{unit.plural}',
            f'{comparison.metric} less that of {baseline} over labeled {unit.plural}, by method.',
            f'Mean difference from {baseline} with the same seed at equal {unit.plural}, over the '
            f'{unit.plural} that all runs of a method and of {baseline} span. Bars: intervals, '
            'where there are two seeds or more; they are moved apart by a little.',
            draw_differences(curves, comparison.methods, baseline, comparison.metric, unit),
        )
        figures.append(figure)
    return Section('differences', f'Difference from {baseline}', figures=figures)


def curves_section(
    comparison: Comparison,
    means: pd.DataFrame,
    published: Mapping[str, list[PublishedPoint]],
) -> Section:
    """A chart of learning curves for each unit of cost.

    Args:
        comparison: The comparison with its runs.
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.
        published: Points that the ISAL paper published, by label.
    """
    band = 'One seed only, so there is no band. '
    if means['n'].max() > 1:
        band = 'Band: the interval of the mean, where two seeds or more are in it. '
    key = 'n in the legend is the number of seeds in a mean.'
    if published:
        key += ' Broken lines without marks: the values the ISAL paper published.'
    figures = []
    for unit in comparison.units:
        axes = f'{comparison.metric} over labeled {unit.plural}'
        methods = ', '.join(comparison.methods)
        figure = ReportFigure(
            f'learning_curves_{unit.plural}',
            f'Learning curves: {axes} for {methods}. The tables below hold every value.',
            f'{axes}: the mean of the seeds that are done. {band}{key}',
            draw_curves(means, comparison.methods, comparison.metric, unit, published),
        )
        figures.append(figure)
    text = []
    if not comparison.has_boxes:
        text.append(
            'There is no axis of boxes: in every round the number of boxes, or labels, equals the '
            'number of images, as in '
            'classification with one label an image.'
        )
    return Section('curves', 'Learning curves', text, figures)


def seeds_section(comparison: Comparison, means: pd.DataFrame, points: pd.DataFrame) -> Section:
    """A chart of every run for each unit of cost.

    Args:
        comparison: The comparison with its runs.
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.
        points: Table of :func:`mmal.benchmark.stats.tables.points_table`.
    """
    figures = []
    for unit in comparison.units:
        axes = f'{comparison.metric} over labeled {unit.plural}'
        figure = ReportFigure(
            f'single_seeds_{unit.plural}',
            f'{axes}: every run, a panel for each method. points.csv holds every value.',
            f'{axes}. Thin: each run that is done; thick: their mean; grey: the means of the other '
            'methods.',
            draw_seeds(means, points, comparison.methods, comparison.metric, unit),
        )
        figures.append(figure)
    return Section('seeds', 'Single seeds', figures=figures)
