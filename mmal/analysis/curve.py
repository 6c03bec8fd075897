"""The learning curve: ``curve.json``, ``curve.csv`` and ``curve.png`` from the round folders."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from ..artifacts import read_json, write_bytes, write_csv, write_json
from ..errors import InputError
from ..round import PHASES, RoundFolder

COUNTS = ('unreadable_images', 'nonfinite_images')
"""Metrics that count images, and are no measure of a model."""


def points(work_dir: str | Path) -> list[dict]:
    """One object for every round whose model is evaluated, in order; the last may be waiting for its labels.

    Returns:
        Dicts with ``round``, ``images`` and ``boxes`` (labeled for the round's model: trained on, or held out),
        ``metrics`` {name: value} and ``seconds`` {phase: value}.
    """
    found = []
    for folder in sorted(Path(work_dir).glob('round_*'), key=lambda p: int(p.name.split('_')[1])):
        number = int(folder.name.split('_')[1])
        done = RoundFolder(work_dir, number)
        if done.done('evaluate'):
            metrics = read_json(done.artifact('evaluate'))
            found.append(dict(round=number, images=metrics['images'], boxes=metrics['boxes'],
                              metrics=metrics['metrics'], seconds={p: e['seconds'] for p, e in done.record.items()}))
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


def write_curve(work_dir: str | Path, title: str) -> list[dict]:
    """Renew the three files from what the rounds left, and return the points."""
    curve, work_dir = points(work_dir), Path(work_dir)
    write_json(work_dir / 'curve.json', curve)
    metrics = list(dict.fromkeys(name for p in curve for name in p['metrics']))
    phases = [phase for phase in PHASES if any(phase in p['seconds'] for p in curve)]
    rows = [[p['round'], p['images'], p['boxes'], *(p['metrics'].get(m, '') for m in metrics),
             *(p['seconds'].get(s, '') for s in phases)] for p in curve]
    write_csv(work_dir / 'curve.csv', ['round', 'images', 'boxes', *metrics, *(f'{s}_seconds' for s in phases)], rows)
    metric = main_metric(curve)
    if metric is not None:
        write_bytes(work_dir / 'curve.png', draw({title: curve}, metric))
    return curve


def read_curve(path: str | Path) -> list[dict]:
    """Points of a run, from its work_dir or from the ``curve.json`` it left.

    Raises:
        InputError: If there are none.
    """
    path = Path(path)
    found = read_json(path) if path.is_file() else points(path)
    if not found:
        raise InputError(f'{path} holds no finished round: expected the work_dir of a run of al_train.py, or its '
                         'curve.json.')
    return found


def draw(curves: dict[str, list[dict]], metric: str, units: Sequence[str] = ('images', 'boxes')) -> bytes:
    """PNG of one metric, a panel for each unit it is drawn over.

    Args:
        curves: Points by the name of the run.
        metric: Its name in the points.
        units: 'images' or 'boxes' that are labeled, or 'seconds' of computing up to the point.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(max(4.5 * len(units), 6), 3.6), layout='constrained')
    FigureCanvasAgg(figure)
    for axis, unit in zip(figure.subplots(1, len(units), sharey=True, squeeze=False)[0], units, strict=True):
        for name, curve in curves.items():
            axis.plot(_over(curve, unit), [p['metrics'].get(metric) for p in curve], marker='o', label=name)
        axis.set_xlabel('seconds of computing' if unit == 'seconds' else f'labeled {unit}')
        axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axis.grid(alpha=0.3)
        axis.label_outer()
    figure.axes[0].set_ylabel(metric)
    figure.axes[0].legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=120)
    return buffer.getvalue()


def _over(curve: list[dict], unit: str) -> list[float]:
    if unit != 'seconds':
        return [p[unit] for p in curve]
    before = [0.0, *accumulate(sum(p['seconds'].values()) for p in curve)]  # of whole rounds
    return [b + sum(s for phase, s in p['seconds'].items() if phase in ('train', 'evaluate'))
            for b, p in zip(before[:-1], curve, strict=True)]


def table(curve: list[dict]) -> str:
    """The points as text, for the log."""
    metric = main_metric(curve)
    lines = [f'{"round":>5} {"images":>8} {"boxes":>8} {metric or "":>18} {"seconds":>8}']
    for p in curve:
        value = p['metrics'].get(metric)
        shown = '' if value is None else f'{value:.4f}'
        lines.append(f'{p["round"]:>5} {p["images"]:>8} {p["boxes"]:>8} {shown:>18} '
                     f'{sum(p["seconds"].values()):>8.1f}')
    return '\n'.join(lines)
