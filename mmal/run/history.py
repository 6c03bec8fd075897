"""The learning curve of a run as numbers: one point per evaluated round."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from mmal.errors import InputError
from mmal.fileio.text import read_json

from .layout import RunPaths
from .round_state import RoundState

COUNTS = ('unreadable_images', 'nonfinite_images')
"""Metrics that count images, and do not measure a model."""


class CurvePoint(TypedDict):
    """What one round came to.

    Attributes:
        round: Number of the round, from 0.
        images: Labeled images of the round's model: those it was trained on and those held out.
        boxes: Labels of these images: boxes in detection, one per image in classification.
        metrics: Value by name of the metric.
        seconds: Duration by name of the phase.
    """

    round: int
    images: int
    boxes: int
    metrics: dict[str, float]
    seconds: dict[str, float]


def read_points(work_dir: str | Path) -> list[CurvePoint]:
    """One point for every round whose model is evaluated, in order.

    The last round may still wait for its labels.

    Args:
        work_dir: Work directory of the run.

    Raises:
        CorruptStateError: If the record of a round is not what was written.
    """
    points = []
    for paths in RunPaths(Path(work_dir)).rounds():
        state = RoundState(work_dir, paths.number)
        if not state.done('evaluate'):
            continue
        evaluation = read_json(state.artifact('evaluate'))
        point = CurvePoint(
            round=paths.number,
            images=evaluation['images'],
            boxes=evaluation['boxes'],
            metrics=evaluation['metrics'],
            seconds={phase: entry['seconds'] for phase, entry in state.record.items()},
        )
        points.append(point)
    return points


def main_metric(curve: Sequence[CurvePoint]) -> str | None:
    """The metric to show first: mAP or accuracy if there is one.

    A round may lack it, for instance one of a given model that was left unmeasured.

    Args:
        curve: Points of a run.

    Returns:
        Name of the metric, or None if no round has one.
    """
    names = []
    for point in curve:
        names += [name for name in point['metrics'] if name not in COUNTS]
    for wanted in ('mAP', 'AP', 'accuracy'):
        for name in names:
            if name.endswith(wanted) or f'{wanted}/top1' in name:
                return name
    return names[0] if names else None


def read_curve(path: str | Path) -> list[CurvePoint]:
    """Points of a run, from its work_dir or from the ``curve.json`` it left.

    Args:
        path: Work directory of the run, or path of the file.

    Raises:
        InputError: If there are none.
    """
    path = Path(path)
    curve: list[CurvePoint] = read_json(path) if path.is_file() else read_points(path)
    if not curve:
        raise InputError(
            f'{path} holds no finished round: expected the work_dir of a run of al_train.py, or '
            'its curve.json.'
        )
    return curve


def markdown_table(curve: Sequence[CurvePoint]) -> str:
    """The points as aligned text, for the log.

    Args:
        curve: Points of a run.
    """
    metric = main_metric(curve)
    lines = [f'{"round":>5} {"images":>8} {"boxes":>8} {metric or "":>18} {"seconds":>8}']
    for point in curve:
        value = None if metric is None else point['metrics'].get(metric)
        shown = '' if value is None else f'{value:.4f}'
        seconds = sum(point['seconds'].values())
        lines.append(
            f'{point["round"]:>5} {point["images"]:>8} {point["boxes"]:>8} {shown:>18} '
            f'{seconds:>8.1f}'
        )
    return '\n'.join(lines)
