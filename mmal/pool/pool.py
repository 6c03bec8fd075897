from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from itertools import islice
from operator import eq

from .order import CHUNK, _plain, sort_key


class Pool:
    """Ids that may ever be labeled, and those that are.

    Args:
        ids: All ids, unique also as text (files hold them as text).
        labeled: Those labeled already, in the order they were.

    Raises:
        ValueError: If an id stands twice or a labeled one is not in the pool.
    """

    def __init__(self, ids: Sequence[Hashable], labeled: Iterable[Hashable] = ()) -> None:
        self._kind = _plain(ids)
        self.ids = sorted(ids, key=None if self._kind else sort_key)
        self._by_text = (
            {} if self._kind else {str(i): i for i in self.ids}
        )  # millions of texts fill the memory
        twice = (
            any(map(eq, self.ids, islice(self.ids, 1, None)))
            if self._kind
            else len(self._by_text) < len(self.ids)
        )
        if twice:
            raise ValueError('Pool ids are not unique: every image needs an id of its own.')
        self.labeled: list = []
        self.label(labeled)

    def label(self, ids: Iterable[Hashable]) -> None:
        """Move ids to the labeled part."""
        have = set(self.labeled)
        for image_id in ids:
            if not self._has(image_id):
                raise ValueError(f'{image_id!r} is not an id of the pool.')
            if image_id in have:
                raise ValueError(f'{image_id!r} is labeled already.')
            have.add(image_id)
            self.labeled.append(image_id)

    @property
    def unlabeled(self) -> list:
        """Ids not labeled yet, sorted."""
        labeled = set(self.labeled)
        return [i for i in self.ids if i not in labeled]

    def _has(self, image_id: Hashable) -> bool:
        if self._kind is None:
            return str(image_id) in self._by_text
        if type(image_id) is not self._kind:
            return False
        place = bisect_left(self.ids, image_id)
        return place < len(self.ids) and self.ids[place] == image_id

    def from_text(self, text: str) -> Hashable:
        """The id whose text this is.

        Raises:
            KeyError: If there is none.
        """
        if self._kind is None:
            return self._by_text[text]
        image_id = self._kind(text)
        if not self._has(image_id):
            raise KeyError(text)
        return image_id

    def digest(self, more: str = '') -> str:
        """A fingerprint of the ids, independent of their order."""
        found = hashlib.sha256()
        for start in range(0, len(self.ids), CHUNK):
            found.update(''.join([f'{i!r}\n' for i in self.ids[start : start + CHUNK]]).encode())
        found.update(more.encode())
        return found.hexdigest()
