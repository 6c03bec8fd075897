"""What labels cost a run, in the unit of its budget."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path

from mmal.annotation.records import by_image
from mmal.errors import InputError
from mmal.oracles.base import OracleResponse
from mmal.pool.budget import BudgetUnit, images_within_budget
from mmal.run.costs import cost_model, cost_rows
from mmal.run.history import CurvePoint

from .context import RunContext


def cost_predictor(run: RunContext, number: int) -> Callable[[int | None], float]:
    """Predicts the cost of labeling an image, in boxes or seconds, as far as a round can know it.

    Args:
        run: The run.
        number: Number of the round.

    Returns:
        A function from the number of an image's pseudo-boxes, or None if it is not known, to the
        cost.

    Raises:
        InputError: If seconds are asked for and no labeling time is known.
    """
    model = cost_model(run.paths.work_dir, number)
    if run.settings.unit is not BudgetUnit.SECOND:
        return model.boxes
    _require_known(model.seconds(None))
    return lambda pseudo_boxes: _require_known(model.seconds(pseudo_boxes))


def _require_known(seconds: float | None) -> float:
    if seconds is None:
        raise InputError(
            "train_cfg.unit='second': no labeling time is known. Bring labels that have it (Label "
            "Studio's JSON export, or a CSV column `seconds`), or count in images or boxes."
        )
    return seconds


def expected_query_images(run: RunContext, number: int, labeled_file: Path) -> int:
    """About how many images a query will take, if they cost as much as those labeled so far.

    Args:
        run: The run.
        number: Number of the round.
        labeled_file: What is labeled so far.
    """
    query = run.settings.query
    if run.settings.unit is BudgetUnit.IMAGE:
        return query
    if run.settings.unit is BudgetUnit.BOX:
        ids, annotations = run.data.read_labeled(labeled_file)
        return images_within_budget(query, len(ids), len(annotations))
    cost_of_typical_image = cost_predictor(run, number)(None)
    return max(1, round(query / cost_of_typical_image))


def spent_so_far(run: RunContext, point: CurvePoint) -> float:
    """What the labels behind a point of the curve have cost, in the run's unit.

    Unknown seconds are predicted. Labels that existed before the run cost it nothing.

    Args:
        run: The run.
        point: The point.
    """
    if run.settings.unit is BudgetUnit.IMAGE:
        return point['images'] - _given_counts(run)[0]
    if run.settings.unit is BudgetUnit.BOX:
        return point['boxes'] - _given_counts(run)[1]
    model = cost_model(run.paths.work_dir, point['round'])
    total = 0.0
    batches = cost_rows(run.paths.work_dir, point['round'])
    if run.given is not None:
        # Those of the initial batch come first.
        batches = batches[1:]
    for rows in batches:
        for row in rows:
            predicted = model.seconds_for(float(row['boxes']))
            total += float(row['seconds'] or predicted or 0)
    return total


def _given_counts(run: RunContext) -> tuple[int, int]:
    """Number of images and of labels that existed before the run."""
    if run.given is None:
        return 0, 0
    n_images = 0
    n_boxes = 0
    for file in (run.paths.initial, run.paths.holdout):
        ids, annotations = run.data.read_labeled(file)
        n_images += len(ids)
        n_boxes += len(annotations)
    return n_images, n_boxes


def label_counts(run: RunContext, response: OracleResponse) -> dict[Hashable, int]:
    """True number of boxes by image id; 1 per image where whole images have classes.

    Args:
        run: The run.
        response: The labels.
    """
    if not run.data.has_boxes:
        return dict.fromkeys(response.ids, 1)
    annotations = by_image(response.annotations)
    return {image_id: len(annotations.get(image_id, ())) for image_id in response.ids}
