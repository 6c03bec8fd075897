"""The learning curve of a run as numbers: one point per evaluated round."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from mmal.errors import InputError
from mmal.fileio.text import read_json

from .round_state import RoundState

COUNTS = ('unreadable_images', 'nonfinite_images')
"""Metrics that count images, and are no measure of a model."""


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


def read_points(work_dir: str | Path) -> list[dict]:
    """One object for every round whose model is evaluated, in order; the last may be waiting for its labels.

    Returns:
        Dicts with ``round``, ``images`` and ``boxes`` (labeled for the round's model: trained on, or held out),
        ``metrics`` {name: value} and ``seconds`` {phase: value}.
    """
    found = []
    for folder in sorted(Path(work_dir).glob('round_*'), key=lambda p: int(p.name.split('_')[1])):
        number = int(folder.name.split('_')[1])
        done = RoundState(work_dir, number)
        if done.done('evaluate'):
            metrics = read_json(done.artifact('evaluate'))
            found.append(
                dict(
                    round=number,
                    images=metrics['images'],
                    boxes=metrics['boxes'],
                    metrics=metrics['metrics'],
                    seconds={p: e['seconds'] for p, e in done.record.items()},
                )
            )
    return found


def main_metric(curve: list[dict]) -> str | None:
    """The metric to look at first: mAP or accuracy if there is one.

    A round may lack it: mmdet reports nothing where a model detects nothing.
    """
    names = [name for p in curve for name in p['metrics'] if name not in COUNTS]
    for want in ('mAP', 'AP', 'accuracy'):
        for name in names:
            if name.endswith(want) or f'{want}/top1' in name:
                return name
    return names[0] if names else None


def read_curve(path: str | Path) -> list[dict]:
    """Points of a run, from its work_dir or from the ``curve.json`` it left.

    Raises:
        InputError: If there are none.
    """
    path = Path(path)
    found = read_json(path) if path.is_file() else read_points(path)
    if not found:
        raise InputError(
            f'{path} holds no finished round: expected the work_dir of a run of al_train.py, or its '
            'curve.json.'
        )
    return found


def markdown_table(curve: list[dict]) -> str:
    """The points as text, for the log."""
    metric = main_metric(curve)
    lines = [f'{"round":>5} {"images":>8} {"boxes":>8} {metric or "":>18} {"seconds":>8}']
    for p in curve:
        value = p['metrics'].get(metric)
        shown = '' if value is None else f'{value:.4f}'
        lines.append(
            f'{p["round"]:>5} {p["images"]:>8} {p["boxes"]:>8} {shown:>18} '
            f'{sum(p["seconds"].values()):>8.1f}'
        )
    return '\n'.join(lines)
