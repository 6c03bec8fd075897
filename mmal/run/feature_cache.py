"""A folder of features of images by a frozen model, kept by the contents of the images."""

from __future__ import annotations

import io
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import CorruptStateError, read_checksummed, write_checksummed
from mmal.fileio.text import read_json, write_json

Vectors = NDArray[np.float32]

POOL = 'pool'
REFERENCE = 'reference'
EVALUATION = 'evaluation'

SETS = (POOL, REFERENCE, EVALUATION)
"""Names of the sets of a cache."""


@dataclass(frozen=True)
class FeatureSet:
    """The images of one set, with their features.

    Attributes:
        ids: Id of each image. In the pool they are those that a run has.
        labels: Class index of each image; None where it has none.
        vectors: Features, float32 of shape (N, D).
    """

    ids: list[Hashable]
    labels: list[int | None]
    vectors: Vectors


class FeatureCache:
    """Features of images by one model.

    ``features.json`` says by which model. ``vectors_*.npz`` hold features by the checksum of an
    image's content, so that an image that is there twice, or in two sets, is computed once, and one
    that changed is computed anew. ``pool.json``, ``reference.json`` and ``evaluation.json`` list
    the images of each set. Every file is written whole or not at all, so that an interrupted pass
    goes on where its last file ended.

    Args:
        folder: The folder. It need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def _manifest(self) -> Path:
        return self.folder / 'features.json'

    def open_for(self, model: Mapping[str, Any]) -> None:
        """Make the folder for the features of a model, or go on with one that is there.

        Args:
            model: What the features depend on: weights, architecture, layers and image loading.

        Raises:
            InputError: If the folder has the features of another model.
        """
        if not self._manifest.exists():
            write_checksummed(self._manifest, dict(model=dict(model)))
            return
        known = self.model()
        different = [key for key in sorted({*known, *model}) if known.get(key) != model.get(key)]
        if different:
            raise InputError(
                f'{self.folder} has features of another model: {", ".join(different)} differ. Take '
                'another folder by --out, or remove this one.'
            )

    def model(self) -> dict[str, Any]:
        """Read what the features depend on.

        Raises:
            InputError: If the folder is no feature cache, or is damaged.
        """
        if not self._manifest.exists():
            raise InputError(
                f'{self.folder} holds no features. Expected a folder that `mmal features` wrote.'
            )
        model: dict[str, Any] = read_checksummed(self._manifest)['model']
        return model

    def digests(self) -> set[str]:
        """Read the checksums of all images whose features are there."""
        known: set[str] = set()
        for file in self._files():
            digests, _ = _read(file)
            known.update(digests)
        return known

    def add(self, digests: Sequence[str], vectors: Vectors) -> None:
        """Write features of more images, in a file of their own.

        Args:
            digests: Checksum of each image.
            vectors: Features of shape (N, D).
        """
        buffer = io.BytesIO()
        np.savez(buffer, digests=np.array(digests), vectors=vectors.astype(np.float32))
        number = len(self._files())
        write_bytes(self.folder / f'vectors_{number:04d}.npz', buffer.getvalue())

    def write_set(
        self,
        name: str,
        ids: Sequence[Hashable],
        digests: Sequence[str | None],
        labels: Sequence[int | None],
        classes: Sequence[str],
    ) -> None:
        """Write which images are in a set.

        Args:
            name: One of :data:`SETS`.
            ids: Id of each image.
            digests: Checksum of each image; None for one that cannot be read, which is left out.
            labels: Class index of each image; None where it has none.
            classes: Names of the classes.
        """
        images = []
        for image_id, digest, label in zip(ids, digests, labels, strict=True):
            if digest is not None:
                images.append(dict(id=image_id, digest=digest, label=label))
        content = dict(classes=list(classes), images=images)
        write_json(self.folder / f'{name}.json', content, indent=None)

    def has_set(self, name: str) -> bool:
        """Whether a set is there.

        Args:
            name: One of :data:`SETS`.
        """
        return (self.folder / f'{name}.json').exists()

    def classes(self) -> list[str]:
        """Read the names of the classes."""
        names: list[str] = self._read_set(POOL)['classes']
        return names

    def read_set(self, name: str) -> FeatureSet:
        """Read the images of a set with their features.

        Args:
            name: One of :data:`SETS`.

        Raises:
            InputError: If the set is not there, or features of its images are missing.
        """
        images = self._read_set(name)['images']
        row_of: dict[str, list[int]] = {}
        for row, image in enumerate(images):
            row_of.setdefault(image['digest'], []).append(row)
        vectors: Vectors | None = None
        found = 0
        for file in self._files():
            digests, more = _read(file)
            if vectors is None:
                vectors = np.zeros((len(images), more.shape[1]), np.float32)
            for digest, vector in zip(digests, more, strict=True):
                for row in row_of.pop(digest, ()):
                    vectors[row] = vector
                    found += 1
        if vectors is None or found < len(images):
            raise InputError(
                f'{self.folder}: features of {len(images) - found} of {len(images)} images of '
                f'{name}.json are not there. Call `mmal features` again, which computes them.'
            )
        return FeatureSet(
            ids=[image['id'] for image in images],
            labels=[image['label'] for image in images],
            vectors=vectors,
        )

    def _read_set(self, name: str) -> dict[str, Any]:
        file = self.folder / f'{name}.json'
        if not file.exists():
            raise InputError(f'{file} is not there. Call `mmal features` to write it.')
        try:
            content: dict[str, Any] = read_json(file)
        except ValueError as e:
            raise CorruptStateError(f'{file} is damaged: it is not JSON ({e}).') from None
        return content

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob('vectors_*.npz'))


def _read(file: Path) -> tuple[list[str], Vectors]:
    """Checksums and vectors of a file.

    Raises:
        CorruptStateError: If it is not what was written.
    """
    try:
        with np.load(file, allow_pickle=False) as content:
            return content['digests'].tolist(), content['vectors']
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as e:
        raise CorruptStateError(
            f'{file} is damaged ({e}). Remove it, and call `mmal features` again.'
        ) from None
