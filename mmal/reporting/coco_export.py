"""What queries chose, as COCO files for programs that show data sets.

One file holds the labels, the other what the model saw before.
"""

from __future__ import annotations

import os.path as osp
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from mmal.annotation.formats.coco import predicted
from mmal.errors import InputError
from mmal.fileio.text import finite_or_none, read_json
from mmal.pool.score_table import selected_scores

from .finished_round import SavedRound

CocoDict = dict[str, list[dict[str, Any]]]
"""Contents of a COCO file: ``images``, ``annotations`` and ``categories``."""


def as_coco(rounds: Iterable[SavedRound]) -> tuple[CocoDict, CocoDict]:
    """Labels and predictions of the chosen images.

    Both list the same images, by absolute paths. Each image and annotation has, beside COCO's keys,
    ``al_round``, ``al_rank`` and ``al_score`` of the image; a score that is not finite is null. A
    prediction has its ``score``, too. A round without ``chosen.json`` has no predictions.

    Args:
        rounds: Closed rounds of one run.

    Returns:
        Contents of the file of labels, and of the file of predictions.

    Raises:
        InputError: If the rounds are of a classification.
    """
    images: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    predictions: list[dict[str, Any]] = []
    categories: list[dict[str, Any]] = []
    for saved_round in rounds:
        data = saved_round.data
        if not data.has_boxes:
            raise InputError(
                'A COCO file has boxes, and this run is a classification: its labels are in '
                'round_XX/labeled.json, its scores in scores.csv.'
            )
        categories = data.categories
        query = _query_facts(saved_round)
        images += _images(saved_round, query)
        labels += _labels(saved_round, query)
        predictions += _predictions(saved_round, query)
    return _contents(images, labels, categories), _contents(images, predictions, categories)


def _query_facts(saved_round: SavedRound) -> dict[Hashable, dict[str, Any]]:
    """Round, rank and score of each chosen image, by its id."""
    _, scores = selected_scores(saved_round.paths.artifact('score'))
    facts: dict[Hashable, dict[str, Any]] = {}
    for rank, image_id in enumerate(saved_round.selected):
        score = finite_or_none(scores.get(str(image_id)))
        facts[image_id] = dict(al_round=saved_round.paths.number, al_rank=rank, al_score=score)
    return facts


def _images(
    saved_round: SavedRound, query: Mapping[Hashable, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Entries of the chosen images, in rank order."""
    data = saved_round.data
    pool: Any = data.pool_contents()
    entries = {entry['id']: entry for entry in pool['images']}
    images = []
    for image_id, facts in query.items():
        path = osp.abspath(data.image_path(image_id))
        images.append(dict(entries[image_id], file_name=path, **facts))
    return images


def _labels(
    saved_round: SavedRound, query: Mapping[Hashable, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Annotations that labeling revealed of the chosen images."""
    labels = []
    for image_id, facts in query.items():
        for annotation in saved_round.ground_truth(image_id):
            labels.append(dict(annotation, **facts))
    return labels


def _predictions(
    saved_round: SavedRound, query: Mapping[Hashable, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Predictions of the chosen images as annotations."""
    file = saved_round.paths.artifact('describe')
    data = saved_round.data
    predictions: list[dict[str, Any]] = []
    if not file.exists():
        return predictions
    for entry in read_json(file)['images']:
        image_id = entry['id']
        facts = query[image_id]
        for annotation in predicted(entry['predictions'], data.classes, data.categories):
            predictions.append(dict(annotation, image_id=image_id, **facts))
    return predictions


def _contents(
    images: list[dict[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
    categories: list[dict[str, Any]],
) -> CocoDict:
    """A COCO file whose annotations are numbered from 1."""
    numbered = [dict(annotation, id=n) for n, annotation in enumerate(annotations, 1)]
    return dict(images=images, annotations=numbered, categories=categories)
