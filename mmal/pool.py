"""The pool of stable image ids: who is labeled, who comes first, what a query may spend. Standard library only."""

from __future__ import annotations

import hashlib
import math
from array import array
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import islice
from operator import eq
from random import Random

CHUNK = 100_000
"""Ids whose text is held at a time."""
HOLDOUT = 0.2
"""Share of the initial images that is held out where the reference set is 'holdout' and nothing else is said."""


def held_out(initial: int, share: float) -> int:
    """How many of the initial images are never trained on."""
    return max(1, round(share * initial)) if share else 0


def sort_key(image_id: Hashable) -> tuple[str, str]:
    """An order for ids of any type: numbers by value, then text."""
    if isinstance(image_id, int):
        return ('', f'{image_id:+025d}')
    return ('text', str(image_id))


def _plain(ids: Sequence[Hashable]) -> type | None:
    """The type of ids whose own order is that of :func:`sort_key`, which costs ten times as much; else None."""
    kinds = set(map(type, ids))
    if kinds == {str} or (kinds == {int} and min(ids) >= 0 and max(ids) < 10**24):
        return kinds.pop()
    return None


def in_order(ids: Iterable[Hashable]) -> list:
    """Ids sorted by :func:`sort_key`."""
    ids = list(ids)
    return sorted(ids) if _plain(ids) else sorted(ids, key=sort_key)


def shuffled(ids: Iterable[Hashable], seed: int, purpose: str) -> list:
    """All ids in an order that depends on ``seed``, ``purpose`` and the ids themselves, not on the order they came."""
    ids = in_order(ids)
    return [ids[place] for place in shuffled_places(len(ids), seed, purpose)]


def shuffled_places(n: int, seed: int, purpose: str) -> array:
    """The numbers below ``n``, shuffled; as plain numbers, which takes half the time where there are millions."""
    places, partners = array('I', range(n)), _partners(n, seed, purpose)
    for i in range(n - 1, 0, -1):
        j = partners[i]
        places[i], places[j] = places[j], places[i]
    return places


def first_shuffled(ids: Iterable[Hashable], seed: int, purpose: str, n: int) -> list:
    """The first ``n`` of :func:`shuffled`: their ways through the shuffle are followed back, and no others."""
    ids = in_order(ids)
    n, partners = min(n, len(ids)), _partners(len(ids), seed, purpose)
    ends = {place: place for place in range(n)}  # where that which stands at a place will come to stand
    for i in range(1, n):
        ends[i], ends[partners[i]] = ends[partners[i]], ends[i]
    for i, j in enumerate(partners[n:], n):
        if j in ends:
            ends[i] = ends.pop(j)
    return [ids[place] for place in sorted(ends, key=ends.__getitem__)]


def _partners(n: int, seed: int, purpose: str) -> array:
    """The place that ``random.shuffle`` exchanges each place with, from the last to the first."""
    partners, bits = array('I', bytes(n * array('I').itemsize)), Random(f'{seed}/{purpose}').getrandbits
    for i in range(n - 1, 0, -1):
        width = (i + 1).bit_length()
        j = bits(width)
        while j > i:
            j = bits(width)
        partners[i] = j
    return partners


def uniform(image_id: Hashable, seed: int, purpose: str) -> float:
    """A number in [0, 1) that belongs to this id alone."""
    digest = hashlib.sha256(f'{seed}/{purpose}/{image_id!r}'.encode()).digest()
    return int.from_bytes(digest[:8], 'big') / 2**64


def derive_seed(seed: int, purpose: str) -> int:
    """A seed of 31 bits for one purpose, from the seed of the run."""
    return int.from_bytes(hashlib.sha256(f'{seed}/{purpose}'.encode()).digest()[:4], 'big') >> 1


def spend(candidates: Iterable[Hashable], budget: int, cost: Callable[[Hashable], int]) -> list:
    """Take candidates in order until the budget is spent.

    ``cost`` is asked only for what is taken (it may reveal labels). The last one taken may overshoot the budget, no
    other.

    Args:
        candidates: Ids, best first.
        budget: In the unit of ``cost``.
        cost: What labeling this id costs.
    """
    taken, spent = [], 0
    for image_id in candidates:
        if spent >= budget:
            break
        taken.append(image_id)
        spent += cost(image_id)
    return taken


def images_for(budget: int, images: int, boxes: int) -> int:
    """How many images a budget in boxes will pay for, if they have as many boxes as those labeled so far.

    Args:
        budget: In boxes.
        images: Labeled so far.
        boxes: Of those images.
    """
    return max(1, math.ceil(budget / max(boxes / max(images, 1), 1.0)))


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
        self._by_text = {} if self._kind else {str(i): i for i in self.ids}  # millions of texts fill the memory
        twice = any(map(eq, self.ids, islice(self.ids, 1, None))) if self._kind else len(self._by_text) < len(self.ids)
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
            found.update(''.join([f'{i!r}\n' for i in self.ids[start:start + CHUNK]]).encode())
        found.update(more.encode())
        return found.hexdigest()
