"""Rounds of older runs whose detector found nothing, which have no metric in their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .stats.budget_curve import is_number

if TYPE_CHECKING:
    from mmal.run.history import CurvePoint

DETECTION_METRIC = 'mAP'
"""Part of the names of metrics that are 0 where a detector finds nothing."""


def count_empty_as_zero(
    curve: list[CurvePoint], metric: str, first_is_measured: bool = True
) -> tuple[list[CurvePoint], list[int]]:
    """Give the metric 0 to each round that was evaluated without any detection.

    mmdet's CocoMetric gives no metric at all where a model detects nothing, and runs of earlier
    versions recorded just that. A round is taken for one of these if no metric of the same
    evaluator is there, that is, none with the same prefix. What was not measured for another reason
    stays missing.

    Args:
        curve: Contents of ``curve.json``.
        metric: Name of the compared metric.
        first_is_measured: False if round 0 is a given model that was left unmeasured. Defaults to
            True.

    Returns:
        The curve, and the numbers of the rounds that were given a 0.
    """
    if DETECTION_METRIC not in metric:
        return curve, []
    complete = []
    empty = []
    for point in curve:
        is_measured = first_is_measured or point['round'] > 0
        if is_measured and _has_none_of_its_evaluator(point, metric):
            point = point.copy()
            point['metrics'] = {**point['metrics'], metric: 0.0}
            empty.append(point['round'])
        complete.append(point)
    return complete, empty


def _has_none_of_its_evaluator(point: CurvePoint, metric: str) -> bool:
    """Whether no metric with the prefix of this one was measured."""
    prefix, slash, _ = metric.rpartition('/')
    for name, value in point['metrics'].items():
        same_evaluator = name.startswith(prefix + slash) if slash else name == metric
        if same_evaluator and is_number(value):
            return False
    return True
