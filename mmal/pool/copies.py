"""Byte-identical images: a label is paid for once, whatever number of copies there are."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Protocol


class Contents(Protocol):
    """What images are made of, by their ids."""

    def size(self, image_id: Hashable) -> Hashable | None:
        """Return what copies have in common and is quickly known; None if nothing is.

        Args:
            image_id: Id of an image.
        """

    def digest(self, image_id: Hashable) -> Hashable | None:
        """Return what copies, and no others, have in common; None if it cannot be known.

        Args:
            image_id: Id of an image.
        """


class KnownContents:
    """Contents of the images that are labeled or taken, to find copies of them by.

    Only images of one size are compared by their digests, so that few files are read.

    Args:
        contents: Contents of all images.
        ids: Ids whose contents are known from the start. Defaults to none.
    """

    def __init__(self, contents: Contents, ids: Iterable[Hashable] = ()) -> None:
        self._contents = contents
        self._sizes: set[Hashable] = set()
        self._without_digest: dict[Hashable, list[Hashable]] = {}
        self._original_by_digest: dict[Hashable, Hashable] = {}
        for image_id in ids:
            self.add(image_id)

    def add(self, image_id: Hashable) -> None:
        """Know the content of one more image.

        Args:
            image_id: Its id.
        """
        size = self._contents.size(image_id)
        if size is None:
            return
        self._sizes.add(size)
        self._without_digest.setdefault(size, []).append(image_id)

    def original_of(self, image_id: Hashable) -> Hashable | None:
        """Return the first known image of the same content; None if there is none.

        Args:
            image_id: Id of an image, known or not.
        """
        size = self._contents.size(image_id)
        if size not in self._sizes:
            return None
        for known_id in self._without_digest.pop(size, []):
            digest = self._contents.digest(known_id)
            if digest is not None:
                self._original_by_digest.setdefault(digest, known_id)
        return self._original_by_digest.get(self._contents.digest(image_id))

    def admit(self, image_id: Hashable) -> Hashable | None:
        """Know an image unless it is a copy.

        Args:
            image_id: Id of an image.

        Returns:
            None for an image whose content was not known before; the id of its original for a copy.
        """
        original = self.original_of(image_id)
        if original is None:
            self.add(image_id)
        return original
