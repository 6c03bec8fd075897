"""Images that people are to label together: ``to_label/`` with the list and its exports."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import read_checksummed, write_checksummed
from mmal.fileio.text import json_bytes

from .formats import coco, csv_table, label_studio

FOLDER = 'to_label'
NAME = 'batch.json'


def batch_file(folder: Path) -> Path:
    """The file that lists a batch, in the folder of the batch."""
    return folder / FOLDER / NAME


@dataclass(frozen=True)
class BatchImage:
    """An image of a batch.

    Attributes:
        id: Of the pool; whole number or text.
        file_name: Below the root of the batch.
        rank: Place in the ranking, from 0: most helpful first.
        width: In pixels, as loaded. Defaults to None: not known, which is enough for classes of whole images.
        height: In pixels.
        score: Of the sampler; lower is more helpful. Defaults to None: it gave none.
        predictions: The model's own, as pre-annotations: dicts with ``label`` (class index), ``score`` and, in
            detection, ``bbox`` (x, y, width, height in pixels), the most confident first.
    """

    id: Hashable
    file_name: str
    rank: int
    width: int | None = None
    height: int | None = None
    score: float | None = None
    predictions: list[dict] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """What people are asked.

    Attributes:
        name: What it is for: 'initial', 'evaluation', 'round_00', ...
        classes: Class names in the config's order.
        categories: COCO categories, one a class, for boxes; none for classes of whole images.
        root: Folder that file names are below.
        images: In rank order.
        several: Whether an image may have several classes, of classes of whole images. Defaults to False.
    """

    name: str
    classes: list[str]
    categories: list[dict]
    root: str
    images: list[BatchImage]
    several: bool = False

    @property
    def boxes(self) -> bool:
        """Whether boxes are asked for, or a class an image."""
        return bool(self.categories)

    @cached_property
    def by_text(self) -> dict[str, BatchImage]:
        """Images by the text of their id."""
        return {str(image.id): image for image in self.images}

    @cached_property
    def by_name(self) -> dict[str, BatchImage]:
        """Images by file name."""
        return {image.file_name: image for image in self.images}

    def write(self, folder: str | Path) -> Path:
        """Write ``to_label/`` into a folder, the sealed list last; what is there already is left as it is.

        Returns:
            The path of ``to_label``.
        """
        target = Path(folder) / FOLDER
        if not (target / NAME).exists():
            for name, content in self.exports().items():
                write_bytes(target / name, content)
            write_checksummed(target / NAME, asdict(self))
        return target

    def exports(self) -> dict[str, bytes]:
        """Content of each file for labeling tools, by name."""
        files = {
            'images.txt': ''.join(f'{path}\n' for path in self.paths()).encode(
                errors='surrogateescape'
            ),
            'label_studio.json': json_bytes(label_studio.tasks(self)),
            'label_studio.xml': label_studio.config(self).encode(),
        }
        if self.boxes:
            return files | {
                'coco.json': json_bytes(coco.export(self)),
                'cvat.json': json_bytes(coco.export_cvat(self)),
            }
        return files | {'labels.csv': csv_table.export(self)}

    def paths(self) -> Iterator[str]:
        """Image files, best first."""
        return (str(Path(self.root) / image.file_name) for image in self.images)

    @classmethod
    def read(cls, folder: str | Path) -> Batch:
        """Read what :meth:`write` wrote.

        Raises:
            InputError: If the folder holds no batch.
            CorruptStateError: If it is not what was written.
        """
        path = Path(folder) / FOLDER / NAME
        if not path.exists():
            raise InputError(f'{folder} holds no batch to label: expected {path}.')
        content = read_checksummed(path)
        return cls(**{**content, 'images': [BatchImage(**image) for image in content['images']]})


def batch_folders(work_dir: str | Path) -> list[Path]:
    """Folders of a work_dir that hold a batch, in the order they were asked: the initial one, then the rounds'."""
    return sorted(
        (p.parent.parent for p in Path(work_dir).glob(f'*/{FOLDER}/{NAME}')),
        key=lambda p: (p.name.startswith('round_'), len(p.name), p.name),
    )


def other_batches(folder: str | Path) -> Iterator[tuple[Path, Batch]]:
    """Batches near that of a folder: of the same run, and of the project that the run or the folder lies in."""
    folder = Path(os.path.abspath(folder))
    near = [
        path
        for parent, pattern in (
            (folder.parent, '*'),
            (folder.parent, '*/*'),
            (folder.parent.parent, '*'),
        )
        for path in sorted(parent.glob(f'{pattern}/{FOLDER}/{NAME}'))
    ]
    for other in dict.fromkeys(path.parent.parent for path in near):
        if other != folder:
            with suppress(InputError, OSError):  # a damaged one is none to send people to
                yield other, Batch.read(other)
