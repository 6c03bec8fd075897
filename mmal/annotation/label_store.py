"""The labels of a batch so far.

``labels.json`` holds them, with a checksum; ``annotations.json`` is made from it for datasets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import read_checksummed, write_checksummed
from mmal.fileio.text import json_bytes

from .batch import Batch, BatchImage
from .records import CocoAnnotation, ImageLabel, LabelEntry
from .validation import ValidatedLabels

NAME = 'labels.json'
"""Name of the file that holds the labels of a batch."""
ANNOTATIONS = 'annotations.json'
"""Name of the annotation file that datasets read, beside :data:`NAME`."""


def labels_file(folder: str | Path) -> Path:
    """The file that holds the labels of a batch.

    Args:
        folder: Folder of the batch, for instance ``work_dir/initial``.
    """
    return Path(folder) / NAME


@dataclass
class LabelStore:
    """Labels of the images of a batch.

    Attributes:
        entries: Labels by the text of the image id. An image without an entry is not labeled; one
            with an empty list of boxes is labeled as empty.
        skipped: Texts of ids of images that the annotator skipped.
        files: SHA-256 of each imported file, in the order of the imports.
    """

    entries: dict[str, LabelEntry] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: str | Path) -> LabelStore:
        """Read the labels of a batch; there are none if there is no file.

        Args:
            folder: Folder of the batch.

        Raises:
            CorruptStateError: If the file is not what was written.
        """
        path = labels_file(folder)
        if not path.exists():
            return cls()
        return cls(**read_checksummed(path))

    def write(self, folder: str | Path, batch: Batch) -> None:
        """Write ``annotations.json``, then ``labels.json``.

        Args:
            folder: Folder of the batch.
            batch: The batch that the labels are of.
        """
        write_bytes(Path(folder) / ANNOTATIONS, json_bytes(self.annotation_file(batch)))
        content = {'entries': self.entries, 'skipped': self.skipped, 'files': self.files}
        write_checksummed(labels_file(folder), content)

    def merged_with(self, labels: ValidatedLabels, digest: str) -> LabelStore:
        """These labels together with those of one more file.

        What the file says about an image replaces what was said before.

        Args:
            labels: Labels of the file.
            digest: SHA-256 of the file.
        """
        entries = {**self.entries, **labels.entries}
        for image_id in labels.skipped:
            entries.pop(image_id, None)
        skipped = dict.fromkeys(self.skipped + labels.skipped)
        still_skipped = [image_id for image_id in skipped if image_id not in labels.entries]
        files = list(dict.fromkeys([*self.files, digest]))
        return LabelStore(entries, still_skipped, files)

    def missing(self, batch: Batch) -> list[BatchImage]:
        """Images that are neither labeled nor skipped, in rank order.

        Args:
            batch: The batch that the labels are of.
        """
        settled = {*self.entries, *self.skipped}
        return [image for image in batch.images if str(image.id) not in settled]

    def labeled(self, batch: Batch) -> list[BatchImage]:
        """Images that are labeled, in rank order.

        Args:
            batch: The batch that the labels are of.
        """
        return [image for image in batch.images if str(image.id) in self.entries]

    def annotations(self, batch: Batch) -> list[CocoAnnotation] | list[ImageLabel]:
        """Annotations of the labeled images: COCO's without ids, or labels of whole images.

        Args:
            batch: The batch that the labels are of.
        """
        if batch.has_boxes:
            return self._boxes(batch)
        return self._image_labels(batch)

    def _image_labels(self, batch: Batch) -> list[ImageLabel]:
        labels: list[ImageLabel] = []
        for image in self.labeled(batch):
            labels.append({'id': image.id, 'label': self.entries[str(image.id)]['label']})
        return labels

    def _boxes(self, batch: Batch) -> list[CocoAnnotation]:
        category_ids = {category['name']: category['id'] for category in batch.categories}
        annotations: list[CocoAnnotation] = []
        for image in self.labeled(batch):
            for box in self.entries[str(image.id)]['boxes']:
                bbox = box['bbox']
                annotation: CocoAnnotation = {
                    'image_id': image.id,
                    'category_id': category_ids[box['category']],
                    'bbox': bbox,
                    'area': bbox[2] * bbox[3],
                    'iscrowd': box.get('iscrowd', 0),
                }
                annotations.append(annotation)
        return annotations

    def annotation_file(self, batch: Batch) -> dict[str, Any] | list[ImageLabel]:
        """The content of ``annotations.json``: a COCO file, or a list of labels of whole images.

        Args:
            batch: The batch that the labels are of.
        """
        if not batch.has_boxes:
            return self._image_labels(batch)
        images = []
        for image in self.labeled(batch):
            images.append(
                {
                    'id': image.id,
                    'file_name': image.file_name,
                    'width': image.width,
                    'height': image.height,
                }
            )
        annotations = [{'id': n, **box} for n, box in enumerate(self._boxes(batch), start=1)]
        return {'images': images, 'annotations': annotations, 'categories': batch.categories}
