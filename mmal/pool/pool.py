"""Tracks which images of the pool are labeled."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from itertools import islice
from operator import eq
from typing import Any

from .order import CHUNK, naturally_ordered_type, sort_key


class Pool:
    """Ids of the images that may ever be labeled, and of those that are.

    Attributes:
        ids: All ids, sorted by :func:`~mmal.pool.order.sort_key`.
        labeled: Ids of the labeled images, in the order they were labeled.

    Args:
        ids: All ids. They must also be unique as text, since files hold them as text.
        labeled: Ids of images labeled already, in the order they were. Defaults to none.

    Raises:
        ValueError: If an id occurs twice or a labeled one is not in the pool.
    """

    def __init__(self, ids: Sequence[Any], labeled: Iterable[Any] = ()) -> None:
        self._id_type = naturally_ordered_type(ids)
        # Texts of millions of ids would fill the memory, so that they are kept only where needed.
        self._by_text: dict[str, Any] = {}
        if self._id_type:
            self.ids: list[Any] = sorted(ids)
            has_duplicates = any(map(eq, self.ids, islice(self.ids, 1, None)))
        else:
            self.ids = sorted(ids, key=sort_key)
            self._by_text = {str(image_id): image_id for image_id in self.ids}
            has_duplicates = len(self._by_text) < len(self.ids)
        if has_duplicates:
            raise ValueError('Pool ids are not unique: every image needs an id of its own.')
        self.labeled: list[Any] = []
        self.label(labeled)

    def label(self, ids: Iterable[Hashable]) -> None:
        """Move images to the labeled part.

        Args:
            ids: Ids of the images, in the order they were labeled.

        Raises:
            ValueError: If an id is not in the pool or labeled already.
        """
        labeled = set(self.labeled)
        for image_id in ids:
            if not self._has(image_id):
                raise ValueError(f'{image_id!r} is not an id of the pool.')
            if image_id in labeled:
                raise ValueError(f'{image_id!r} is labeled already.')
            labeled.add(image_id)
            self.labeled.append(image_id)

    @property
    def unlabeled(self) -> list[Any]:
        """Ids of the images not labeled yet, sorted."""
        labeled = set(self.labeled)
        return [image_id for image_id in self.ids if image_id not in labeled]

    def _has(self, image_id: Any) -> bool:
        if self._id_type is None:
            return str(image_id) in self._by_text
        if type(image_id) is not self._id_type:
            return False
        place = bisect_left(self.ids, image_id)
        return place < len(self.ids) and bool(self.ids[place] == image_id)

    def from_text(self, text: str) -> Any:
        """Find the id that has this text.

        Args:
            text: Text of an id, as files hold it.

        Raises:
            KeyError: If no id has this text.
            ValueError: If the ids are numbers and the text is not.
        """
        if self._id_type is None:
            return self._by_text[text]
        image_id = self._id_type(text)
        if not self._has(image_id):
            raise KeyError(text)
        return image_id

    def digest(self, more: str = '') -> str:
        """Compute a fingerprint of the ids that does not depend on their order.

        Args:
            more: Text that goes into the fingerprint, too. Defaults to ''.

        Returns:
            A SHA-256 in hexadecimal.
        """
        digest = hashlib.sha256()
        for start in range(0, len(self.ids), CHUNK):
            lines = [f'{image_id!r}\n' for image_id in self.ids[start : start + CHUNK]]
            digest.update(''.join(lines).encode())
        digest.update(more.encode())
        return digest.hexdigest()
