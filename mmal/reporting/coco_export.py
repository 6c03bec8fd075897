"""What queries chose, as COCO files for programs that show data sets: the labels, and what the model saw before."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterable

from mmal.annotation.formats.coco import predicted
from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.pool.score_table import selected_scores

from .finished_round import SavedRound


def as_coco(rounds: Iterable[SavedRound]) -> tuple[dict, dict]:
    """Labels and predictions of the chosen images.

    Both list the same images, by absolute paths. Each annotation has, beside COCO's keys, ``al_round``, ``al_rank`` and
    ``al_score`` of its image, and a prediction its ``score``; of a round without ``chosen.json`` there are none.

    Args:
        rounds: Closed rounds of one run.

    Raises:
        InputError: If they are of a classification.
    """
    images, labels, predictions, data = [], [], [], None
    for finished in rounds:
        data = finished.data
        if not data.has_boxes:
            raise InputError(
                'A COCO file has boxes, and this run is a classification: its labels are in '
                'round_XX/labeled.json, its scores in scores.csv.'
            )
        about = _about(finished)
        listed = {image['id']: image for image in data.pool_contents()['images']}
        images += [
            dict(listed[i], file_name=osp.abspath(data.image_path(i)), **about[i]) for i in about
        ]
        labels += [dict(a, **about[i]) for i in about for a in finished.ground_truth(i)]
        predictions += [
            dict(p, image_id=i, **about[i])
            for i, found in _predictions(finished).items()
            for p in found
        ]
    categories = data.categories if data is not None else []
    return tuple(
        dict(
            images=images,
            annotations=[dict(a, id=n + 1) for n, a in enumerate(annotations)],
            categories=categories,
        )
        for annotations in (labels, predictions)
    )


def _about(finished: SavedRound) -> dict:
    _, scores = selected_scores(finished.folder.artifact('score'))
    return {
        i: dict(al_round=finished.folder.number, al_rank=rank, al_score=scores.get(str(i)))
        for rank, i in enumerate(finished.selected)
    }


def _predictions(finished: SavedRound) -> dict:
    """Predictions of each chosen image as COCO's annotations."""
    file, data = finished.folder.artifact('describe'), finished.data
    if not file.exists():
        return {}
    return {
        entry['id']: predicted(entry['predictions'], data.classes, data.categories)
        for entry in read_json(file)['images']
    }
