"""What labeling an image will cost, learned from what labeling has cost so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmal.fileio.text import read_csv, write_csv

COSTS_FILE = 'costs.csv'
COLUMNS = ['id', 'pseudo_boxes', 'boxes', 'seconds', 'predicted_boxes', 'predicted_seconds']
MIN_ROUNDS_TO_FIT = 2
"""Labeled rounds before pseudo-boxes are trusted to tell the cost."""
MIN_BOXES = 0.1
"""Least boxes an image is said to cost: one predicted at none still has to be looked at."""
OUTLIER_FACTOR = 5
"""Times the usual: a longer labeling time is a break of the labeler's, and counts as so much."""


@dataclass(frozen=True)
class CostModel:
    """Boxes and seconds of an image as a line over the number of its pseudo-boxes.

    Attributes:
        box_fit: Intercept and slope of the true boxes over the pseudo-boxes; None before it is known, and then the
            pseudo-boxes themselves are taken (at least 1).
        mean_boxes: Boxes an image so far; for images without pseudo-boxes. None if nothing is labeled.
        seconds_fit: Intercept and slope of the seconds over the (predicted) boxes; None if no time is known.
    """

    box_fit: tuple[float, float] | None = None
    mean_boxes: float | None = None
    seconds_fit: tuple[float, float] | None = None

    def boxes(self, pseudo_boxes: int | None) -> float:
        """Boxes of an image with so many pseudo-boxes; None: it is not known how many."""
        if pseudo_boxes is None:
            return max(MIN_BOXES, 1.0 if self.mean_boxes is None else self.mean_boxes)
        if self.box_fit is None:
            return float(max(pseudo_boxes, 1))
        return max(MIN_BOXES, self.box_fit[0] + self.box_fit[1] * pseudo_boxes)

    def seconds(self, pseudo_boxes: int | None) -> float | None:
        """Seconds to label an image; None if no time is known."""
        return self.seconds_for(self.boxes(pseudo_boxes))

    def seconds_for(self, boxes: float) -> float | None:
        """Seconds to draw so many boxes in an image; None if no time is known."""
        return (
            None if self.seconds_fit is None else self.seconds_fit[0] + self.seconds_fit[1] * boxes
        )


def fit(rounds: Iterable[Iterable[dict]]) -> CostModel:
    """Fit to the rows of ``costs.csv`` of each labeled batch, the initial one first.

    Lines are least squares with intercept and slope of at least 0: more boxes never cost less. Times longer than
    BREAK times the usual for so many boxes count as that.
    """
    rounds = [
        [{k: float(v) for k, v in row.items() if k != 'id' and v not in ('', None)} for row in rows]
        for rows in rounds
    ]
    rows = [row for part in rounds for row in part]
    if not rows:
        return CostModel()
    told = [part for part in rounds if any('pseudo_boxes' in row for row in part)]
    line = None
    if len(told) >= MIN_ROUNDS_TO_FIT:
        line = _line([(row['pseudo_boxes'], row['boxes']) for row in rows if 'pseudo_boxes' in row])
    timed = [(row['boxes'], row['seconds']) for row in rows if 'seconds' in row]
    mean_boxes = sum(row['boxes'] for row in rows) / len(rows)
    return CostModel(line, mean_boxes, _line(_without_breaks(timed)) if timed else None)


def _without_breaks(timed: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Pairs of boxes and seconds; what is usual is the median of the seconds a box, looking at the image being one."""
    longest = OUTLIER_FACTOR * float(np.median([seconds / (1 + boxes) for boxes, seconds in timed]))
    return [(boxes, min(seconds, longest * (1 + boxes))) for boxes, seconds in timed]


def _line(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    from scipy.optimize import nnls

    x, y = np.array(pairs, dtype=float).T
    (intercept, slope), _ = nnls(np.stack([np.ones_like(x), x], 1), y)
    return float(intercept), float(slope)


def write_costs(
    folder: str | Path, model: CostModel, pseudo_boxes: dict, boxes: dict, seconds: dict
) -> None:
    """Write ``costs.csv`` of a labeled batch: what each image cost, and what the model had said.

    Args:
        folder: Of the batch.
        model: As it was when the images were chosen.
        pseudo_boxes: By id, of those that have a number.
        boxes: True number by id, of every labeled image.
        seconds: By id, of those whose time is known.
    """
    rows = []
    for i, n in boxes.items():
        said = model.seconds(pseudo_boxes.get(i))
        rows.append(
            [
                i,
                pseudo_boxes.get(i, ''),
                n,
                seconds.get(i, ''),
                round(model.boxes(pseudo_boxes.get(i)), 3),
                '' if said is None else round(said, 3),
            ]
        )
    write_csv(Path(folder) / COSTS_FILE, COLUMNS, rows)


def cost_model(work_dir: str | Path, rounds: int) -> CostModel:
    """The model from the initial batch and the first ``rounds`` rounds of a run.

    Fixed to a number of rounds, so that a resumed run predicts what it would have predicted.
    """
    return fit(cost_rows(work_dir, rounds))


def cost_rows(work_dir: str | Path, rounds: int) -> list[list[dict]]:
    """Rows of ``costs.csv`` of the initial batch and the first ``rounds`` rounds, of those that have one."""
    folders = [
        Path(work_dir) / 'initial',
        *(Path(work_dir) / f'round_{n:02d}' for n in range(rounds)),
    ]
    return [read_csv(folder / COSTS_FILE) for folder in folders if (folder / COSTS_FILE).exists()]
