"""``labels.json`` of a batch: what was believed so far, in one sealed file; and ``annotations.json`` made from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import read_checksummed, write_checksummed
from mmal.fileio.text import json_bytes

from .validation import ValidatedLabels

if TYPE_CHECKING:
    from .batch import Batch, BatchImage

NAME = 'labels.json'
ANNOTATIONS = 'annotations.json'


def labels_file(folder: Path) -> Path:
    """The file that holds the labels of a batch, in the folder of the batch."""
    return folder / NAME


@dataclass
class LabelStore:
    """Labels of the images of a batch.

    Attributes:
        entries: By text of the image id: ``boxes`` or ``label``, and ``who`` and ``seconds`` where known. An image
            with ``boxes=[]`` is labeled as empty; one that is not here is not labeled.
        skipped: Texts of ids of images that whoever was to label them skipped.
        files: SHA-256 of the files imported, in their order.
    """

    entries: dict[str, dict] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: str | Path) -> LabelStore:
        """Labels of the batch in this folder; none yet if there is no file.

        Raises:
            CorruptStateError: If the file is not what was written.
        """
        path = Path(folder) / NAME
        return cls(**read_checksummed(path)) if path.exists() else cls()

    def write(self, folder: str | Path, batch: Batch) -> None:
        """Write both files, the sealed one last."""
        write_bytes(Path(folder) / ANNOTATIONS, json_bytes(self.annotation_file(batch)))
        write_checksummed(
            Path(folder) / NAME, dict(entries=self.entries, skipped=self.skipped, files=self.files)
        )

    def merged_with(self, believed: ValidatedLabels, digest: str) -> LabelStore:
        """These labels and those of one more file; what the file says of an image replaces what was said before."""
        entries = {**self.entries, **believed.entries}
        skipped = [
            i for i in dict.fromkeys(self.skipped + believed.skipped) if i not in believed.entries
        ]
        return LabelStore(
            {i: e for i, e in entries.items() if i not in believed.skipped},
            skipped,
            self.files if digest in self.files else [*self.files, digest],
        )

    def missing(self, batch: Batch) -> list[BatchImage]:
        """Images neither labeled nor skipped."""
        return [
            i
            for i in batch.images
            if str(i.id) not in self.entries and str(i.id) not in self.skipped
        ]

    def labeled(self, batch: Batch) -> list[BatchImage]:
        """Images labeled, in rank order."""
        return [i for i in batch.images if str(i.id) in self.entries]

    def annotations(self, batch: Batch) -> list[dict]:
        """COCO annotations without ids, or {id, label}, of the labeled images."""
        if not batch.boxes:
            return [
                dict(id=i.id, label=self.entries[str(i.id)]['label']) for i in self.labeled(batch)
            ]
        category = {c['name']: c['id'] for c in batch.categories}
        return [
            dict(
                image_id=i.id,
                category_id=category[b['category']],
                bbox=b['bbox'],
                area=b['bbox'][2] * b['bbox'][3],
                iscrowd=b.get('iscrowd', 0),
            )
            for i in self.labeled(batch)
            for b in self.entries[str(i.id)]['boxes']
        ]

    def annotation_file(self, batch: Batch) -> dict | list:
        """The labeled images as a dataset reads them: a COCO file, or a list of {id, label}."""
        found = self.annotations(batch)
        if not batch.boxes:
            return found
        images = [
            dict(id=i.id, file_name=i.file_name, width=i.width, height=i.height)
            for i in self.labeled(batch)
        ]
        return dict(
            images=images,
            annotations=[dict(id=n + 1, **a) for n, a in enumerate(found)],
            categories=batch.categories,
        )
