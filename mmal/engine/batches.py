"""Batches of pool images for annotators."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmal.annotation.batch import Batch, BatchImage
from mmal.fileio.text import read_json
from mmal.run.round_state import PhaseState

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter


def batch_for_annotators(
    data: DataAdapter,
    name: str,
    ids: Sequence[Hashable],
    explanations: Sequence[Mapping[str, Any]] = (),
) -> Batch:
    """A batch of pool images for annotators.

    Args:
        data: Data side of the task.
        name: Name of the batch, for instance 'round_00'.
        ids: Ids of the images, most helpful first.
        explanations: Entries of ``chosen.json``, whose scores and predictions annotators are shown.
            Defaults to none.
    """
    by_id = {entry['id']: entry for entry in explanations}
    images = []
    for rank, image_id in enumerate(ids):
        explanation = by_id.get(image_id, {})
        image = BatchImage(
            image_id,
            rank=rank,
            score=explanation.get('score'),
            predictions=explanation.get('predictions', []),
            **data.file_info(image_id),
        )
        images.append(image)
    return Batch(
        name, list(data.classes), data.categories, data.image_root(), images, data.several_labels
    )


def explained_batch(data: DataAdapter, state: PhaseState) -> Batch:
    """The batch of what a query selected, with the score and the predictions of each image.

    Args:
        data: Data side of the task.
        state: Record of the query, whose selection is explained.
    """
    selected = read_json(state.artifact('select'))
    explanations = read_json(state.artifact('describe'))['images']
    return batch_for_annotators(data, state.paths.folder.name, selected, explanations)
