"""Predicts what labeling an image will cost from what labeling has cost so far."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmal.fileio.text import read_csv, write_csv

COSTS_FILE = 'costs.csv'
COLUMNS = ['id', 'pseudo_boxes', 'boxes', 'seconds', 'predicted_boxes', 'predicted_seconds']
MIN_ROUNDS_TO_FIT = 2
"""Labeled rounds before pseudo-boxes are trusted to tell the cost."""
MIN_BOXES = 0.1
"""Least boxes an image is predicted to cost: one without any still has to be examined."""
OUTLIER_FACTOR = 5
"""Multiple of the usual labeling time above which the labeler took a break; counts as this much."""


@dataclass(frozen=True)
class CostModel:
    """Boxes and seconds of an image as a line over the number of its pseudo-boxes.

    Attributes:
        box_fit: Intercept and slope of the true boxes over the pseudo-boxes. None before it is
            known; then the pseudo-boxes themselves are taken, at least 1.
        mean_boxes: Mean boxes of the images labeled so far, for images without pseudo-boxes. None
            if nothing is labeled.
        seconds_fit: Intercept and slope of the seconds over the (predicted) boxes. None if no time
            is known.
    """

    box_fit: tuple[float, float] | None = None
    mean_boxes: float | None = None
    seconds_fit: tuple[float, float] | None = None

    def boxes(self, pseudo_boxes: int | None) -> float:
        """Predict the boxes of an image.

        Args:
            pseudo_boxes: Number of the image's pseudo-boxes; None if it is not known.

        Returns:
            The predicted number of boxes, at least :data:`MIN_BOXES`.
        """
        if pseudo_boxes is None:
            mean_boxes = 1.0 if self.mean_boxes is None else self.mean_boxes
            return max(MIN_BOXES, mean_boxes)
        if self.box_fit is None:
            return float(max(pseudo_boxes, 1))
        intercept, slope = self.box_fit
        return max(MIN_BOXES, intercept + slope * pseudo_boxes)

    def seconds(self, pseudo_boxes: int | None) -> float | None:
        """Predict the seconds that labeling an image takes.

        Args:
            pseudo_boxes: Number of the image's pseudo-boxes; None if it is not known.

        Returns:
            The predicted seconds; None if no time is known.
        """
        return self.seconds_for(self.boxes(pseudo_boxes))

    def seconds_for(self, boxes: float) -> float | None:
        """Predict the seconds that drawing so many boxes in one image takes.

        Args:
            boxes: Number of boxes of the image.

        Returns:
            The predicted seconds; None if no time is known.
        """
        if self.seconds_fit is None:
            return None
        intercept, slope = self.seconds_fit
        return intercept + slope * boxes


@dataclass(frozen=True)
class _LabelingCost:
    """One row of a cost file.

    Attributes:
        boxes: True number of boxes.
        pseudo_boxes: Number of pseudo-boxes; None if it was not known.
        seconds: Seconds that labeling took; None if they are not known.
    """

    boxes: float
    pseudo_boxes: float | None
    seconds: float | None


def fit(rounds: Iterable[Iterable[Mapping[str, Any]]]) -> CostModel:
    """Fit a cost model to the rows of cost files.

    Lines are least-squares fits with intercept and slope of at least 0, so that more boxes never
    cost less. Labeling times longer than :data:`OUTLIER_FACTOR` times the usual for so many boxes
    count as that.

    Args:
        rounds: Rows of each labeled batch, the initial one first. Rows have the keys ``boxes`` and,
            where they are known, ``pseudo_boxes`` and ``seconds``; '' is the same as absent.

    Returns:
        The model. It has no ``box_fit`` if fewer than :data:`MIN_ROUNDS_TO_FIT` batches have
        pseudo-boxes.
    """
    batches = [[_parse_cost(row) for row in rows] for rows in rounds]
    costs = [cost for batch in batches for cost in batch]
    if not costs:
        return CostModel()
    return CostModel(
        box_fit=_fit_boxes(batches),
        mean_boxes=sum(cost.boxes for cost in costs) / len(costs),
        seconds_fit=_fit_seconds(costs),
    )


def _parse_cost(row: Mapping[str, Any]) -> _LabelingCost:
    return _LabelingCost(
        boxes=float(row['boxes']),
        pseudo_boxes=_parse_number(row.get('pseudo_boxes')),
        seconds=_parse_number(row.get('seconds')),
    )


def _parse_number(value: Any) -> float | None:
    if value is None or value == '':
        return None
    return float(value)


def _fit_boxes(batches: list[list[_LabelingCost]]) -> tuple[float, float] | None:
    """Line of the true boxes over the pseudo-boxes; None while too few batches have any."""
    points = []
    known_batches = set()
    for number, batch in enumerate(batches):
        for cost in batch:
            if cost.pseudo_boxes is not None:
                points.append((cost.pseudo_boxes, cost.boxes))
                known_batches.add(number)
    if len(known_batches) < MIN_ROUNDS_TO_FIT:
        return None
    return _fit_line(points)


def _fit_seconds(costs: list[_LabelingCost]) -> tuple[float, float] | None:
    """Line of the seconds over the true boxes; None if no seconds are known.

    The usual time of an image is the median of the seconds per box, examining the image counting
    as one box.
    """
    points = [(cost.boxes, cost.seconds) for cost in costs if cost.seconds is not None]
    if not points:
        return None
    usual = float(np.median([seconds / (1 + boxes) for boxes, seconds in points]))
    longest = OUTLIER_FACTOR * usual
    bounded_points = []
    for boxes, seconds in points:
        bounded_points.append((boxes, min(seconds, longest * (1 + boxes))))
    return _fit_line(bounded_points)


def _fit_line(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Intercept and slope of the non-negative least-squares fit to (x, y) pairs."""
    from scipy.optimize import nnls

    x, y = np.array(points, dtype=float).T
    (intercept, slope), _ = nnls(np.stack([np.ones_like(x), x], 1), y)
    return float(intercept), float(slope)


def write_costs(
    path: str | Path,
    model: CostModel,
    pseudo_boxes: Mapping[Any, int],
    boxes: Mapping[Any, int],
    seconds: Mapping[Any, float],
) -> None:
    """Write the cost file of a labeled batch: what each image cost, beside what was predicted.

    Args:
        path: Path of the file.
        model: Cost model at the time the images were chosen.
        pseudo_boxes: Number of pseudo-boxes by image id, of those that have one.
        boxes: True number of boxes by image id, of every labeled image.
        seconds: Seconds that labeling took by image id, of those whose time is known.
    """
    rows = []
    for image_id, true_boxes in boxes.items():
        own_pseudo_boxes = pseudo_boxes.get(image_id)
        own_seconds = seconds.get(image_id)
        rows.append(_cost_row(model, image_id, own_pseudo_boxes, true_boxes, own_seconds))
    write_csv(path, COLUMNS, rows)


def _cost_row(
    model: CostModel,
    image_id: Hashable,
    pseudo_boxes: int | None,
    boxes: int,
    seconds: float | None,
) -> list[Any]:
    """Values of :data:`COLUMNS` for one image; '' stands for what is not known."""
    predicted_boxes = round(model.boxes(pseudo_boxes), 3)
    predicted_seconds = model.seconds(pseudo_boxes)
    if predicted_seconds is not None:
        predicted_seconds = round(predicted_seconds, 3)
    row = [image_id, pseudo_boxes, boxes, seconds, predicted_boxes, predicted_seconds]
    return ['' if value is None else value for value in row]


def read_cost_rows(files: Iterable[Path]) -> list[list[dict[str, str]]]:
    """Read cost files.

    Args:
        files: Paths of the files, that of the initial batch first. Files that do not exist are
            left out.

    Returns:
        The rows of each file: text by name of the column.
    """
    return [read_csv(file) for file in files if file.exists()]
