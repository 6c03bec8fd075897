"""A batch: images that people label together, listed in ``to_label/`` of a folder."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mmal.errors import InputError
from mmal.fileio.checksummed import CorruptStateError, read_checksummed

from .records import Prediction

FOLDER = 'to_label'
"""Name of the folder that holds the list of a batch and its files for labeling tools."""
NAME = 'batch.json'
"""Name of the list of a batch, inside :data:`FOLDER`."""


def batch_file(folder: str | Path) -> Path:
    """The file that lists a batch.

    Args:
        folder: Folder of the batch, for instance ``work_dir/initial``.
    """
    return Path(folder) / FOLDER / NAME


@dataclass(frozen=True)
class BatchImage:
    """An image of a batch.

    Attributes:
        id: Id of the image in the pool, a whole number or text.
        file_name: Path of the file below the root of the batch.
        rank: Place in the ranking, from 0: most helpful first.
        width: Width in pixels, as loaded. Defaults to None: unknown, which is enough for classes of
            whole images.
        height: Height in pixels, as loaded. Defaults to None: unknown.
        score: Score of the sampler; lower is more helpful. Defaults to None: the sampler gave none.
        predictions: The model's own predictions, shown as pre-annotations, the most confident
            first.
    """

    id: Hashable
    file_name: str
    rank: int
    width: int | None = None
    height: int | None = None
    score: float | None = None
    predictions: list[Prediction] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels.

        Raises:
            ValueError: If they are unknown, which no image of a batch that asks for boxes may be.
        """
        if self.width is None or self.height is None:
            raise ValueError(f'{self.file_name}: the size of the image is not known.')
        return self.width, self.height


@dataclass(frozen=True)
class Batch:
    """The images that people are asked to label, and what they are asked about them.

    Attributes:
        name: Purpose of the batch: 'initial', 'evaluation', 'round_00', ...
        classes: Class names in the config's order.
        categories: COCO categories, one per class, if boxes are asked for; an empty list if classes
            of whole images are.
        root: Folder that the file names are below.
        images: Images in rank order.
        several_labels: Whether an image may have several classes, where classes of whole images are
            asked for. Defaults to False. The file calls it ``several``.
    """

    name: str
    classes: list[str]
    categories: list[dict[str, Any]]
    root: str
    images: list[BatchImage]
    several_labels: bool = False

    @property
    def has_boxes(self) -> bool:
        """Whether boxes are asked for, rather than classes of whole images."""
        return bool(self.categories)

    @cached_property
    def image_by_id(self) -> dict[str, BatchImage]:
        """Images by the text of their id."""
        return {str(image.id): image for image in self.images}

    @cached_property
    def image_by_name(self) -> dict[str, BatchImage]:
        """Images by file name."""
        return {image.file_name: image for image in self.images}

    def to_json(self) -> dict[str, Any]:
        """The content of ``batch.json``."""
        content = asdict(self)
        content['several'] = content.pop('several_labels')
        return content

    @classmethod
    def read(cls, folder: str | Path) -> Batch:
        """Read what :func:`~mmal.annotation.export.write_batch` wrote.

        Args:
            folder: Folder of the batch.

        Raises:
            InputError: If the folder holds no batch.
            CorruptStateError: If the file is not what was written, or of another shape.
        """
        path = batch_file(folder)
        if not path.exists():
            raise InputError(f'{folder} holds no batch to label: expected {path}.')
        content = read_checksummed(path)
        try:
            several_labels = content.pop('several')
            images = [BatchImage(**image) for image in content.pop('images')]
            return cls(**content, images=images, several_labels=several_labels)
        except (KeyError, TypeError) as e:
            raise CorruptStateError(
                f'{path} is whole, but is no batch as this version writes it: {e}.'
            ) from None


def batch_folders(work_dir: str | Path) -> list[Path]:
    """Folders of a run that hold a batch, in the order the batches were asked for.

    The initial batch comes first, then those of the rounds.

    Args:
        work_dir: Work directory of the run.
    """

    def order(folder: Path) -> tuple[bool, int, str]:
        # round_100 comes after round_11
        return folder.name.startswith('round_'), len(folder.name), folder.name

    folders = [path.parent.parent for path in Path(work_dir).glob(f'*/{FOLDER}/{NAME}')]
    return sorted(folders, key=order)


def nearby_batches(folder: str | Path) -> Iterator[tuple[Path, Batch]]:
    """Other batches of the same run, and of the project that the run or the folder lies in.

    Args:
        folder: Folder of a batch, which is not among them.

    Yields:
        The folder of a batch, and the batch. Damaged ones are left out.
    """
    folder = Path(os.path.abspath(folder))
    parent = folder.parent
    paths = sorted(parent.glob(f'*/{FOLDER}/{NAME}'))
    paths += sorted(parent.glob(f'*/*/{FOLDER}/{NAME}'))
    paths += sorted(parent.parent.glob(f'*/{FOLDER}/{NAME}'))
    # dict.fromkeys keeps the first of equal folders, in order
    for other in dict.fromkeys(path.parent.parent for path in paths):
        if other == folder:
            continue
        with suppress(InputError, OSError):
            yield other, Batch.read(other)
