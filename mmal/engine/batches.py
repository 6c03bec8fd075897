"""Batches of pool images for annotators."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmal.annotation.batch import Batch, BatchImage

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
