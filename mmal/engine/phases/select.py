"""From a sampler's scores to the images a query takes. Rank 0 does it."""

from __future__ import annotations

from pathlib import Path

from mmal.engine.stopping import Stopping
from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import json_bytes, read_json, write_json
from mmal.pool.budget import images_within_budget, spend
from mmal.pool.pool import Pool
from mmal.pool.score_table import best_score, ids_in, marked_bytes, pseudo_boxes_in, ranked_bytes
from mmal.run.costs import cost_model, cost_rows
from mmal.run.layout import PHASES
from mmal.run.round_state import RoundState
from mmal.samplers.base import Scores


class StopRun(Exception):
    """The run is over before its rounds are; the text says why."""


def write_scores(loop, folder: RoundState, scores: Scores, path: Path) -> None:
    """Write ``scores.csv``, and count images without a score among the round's metrics."""
    loop.unreadable.add(scores.unreadable)
    metrics = read_json(folder.artifact('evaluate'))
    metrics['metrics'].update(
        unreadable_images=len(loop.unreadable), nonfinite_images=len(scores.nonfinite)
    )
    folder.replace_artifact('evaluate', json_bytes(metrics))
    write_bytes(
        path, ranked_bytes(loop.sampler.column, scores.ranked(loop.seed, f'ties/{folder.number}'))
    )


def select(loop, folder: RoundState, pool: Pool, path: Path) -> None:
    """Take images in rank order within the budget; then mark them in ``scores.csv``."""
    file = folder.artifact('score')
    ids = map(pool.from_text, ids_in(file))
    if loop.unit == 'image':
        selected = spend(ids, loop.query, lambda i: 1)
    elif loop.unit == 'box' and not loop.oracle.is_human:
        selected = spend(ids, loop.query, lambda i: len(loop.data.ground_truth([i])))
    else:
        predict = predicted_cost(loop, folder.number)
        costs = zip(ids, pseudo_boxes_in(file), strict=True)
        selected = [i for i, _ in spend(costs, loop.query, lambda pair: predict(pair[1]))]
    folder.replace_artifact('score', marked_bytes(file, loop.sampler.column, len(selected)))
    write_json(path, selected)


def images_paid(loop, number: int, labeled_file: Path) -> int:
    """About how many images a query will take, if they cost as much as those labeled so far."""
    if loop.unit == 'image':
        return loop.query
    if loop.unit == 'box':
        return images_within_budget(loop.query, *map(len, loop.data.read_labeled(labeled_file)))
    return max(1, round(loop.query / predicted_cost(loop, number)(None)))


def predicted_cost(loop, number: int):
    """Cost of an image in the loop's unit, by the number of its pseudo-boxes, as known in a round.

    Raises:
        InputError: If seconds are asked for and no labeling time is known.
    """
    model = cost_model(loop.work_dir, number)
    if loop.unit == 'second' and model.seconds_fit is None:
        raise InputError(
            "train_cfg.unit='second': no labeling time is known. Bring labels that have it (Label "
            "Studio's JSON export, or a CSV column `seconds`), or count in images or boxes."
        )
    return model.seconds if loop.unit == 'second' else model.boxes


def spent(loop, point: dict) -> float:
    """What the labels behind a point of the curve have cost, in the loop's unit; unknown seconds are predicted."""
    if loop.unit != 'second':
        return point['images' if loop.unit == 'image' else 'boxes']
    model = cost_model(loop.work_dir, point['round'])
    return sum(
        float(row['seconds'] or model.seconds_for(float(row['boxes'])) or 0)
        for rows in cost_rows(loop.work_dir, point['round'])
        for row in rows
    )


def stop_after_evaluation(loop, curve: list[dict]) -> None:
    """Raise Stopped if the curve so far is a reason to."""
    reason = loop.stop.after_evaluation(curve, spent(loop, curve[-1]))
    if reason:
        raise StopRun(reason)


def stop_after_scoring(stop: Stopping, folder: RoundState) -> None:
    """Raise Stopped if what is left is a reason to."""
    files = (folder.artifact('score'), folder.path.parent / 'round_00' / PHASES['score'])
    reason = stop.after_scoring(*map(best_score, files)) if stop.influence is not None else None
    if reason:
        raise StopRun(reason)
