"""The pool of stable image ids: who is labeled, who comes first, what a query may spend. Standard library only."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Sequence
from random import Random

CHUNK = 100_000
"""Ids whose text is held at a time."""


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
    ends = {
        place: place for place in range(n)
    }  # where that which stands at a place will come to stand
    for i in range(1, n):
        ends[i], ends[partners[i]] = ends[partners[i]], ends[i]
    for i, j in enumerate(partners[n:], n):
        if j in ends:
            ends[i] = ends.pop(j)
    return [ids[place] for place in sorted(ends, key=ends.__getitem__)]


def _partners(n: int, seed: int, purpose: str) -> array:
    """The place that ``random.shuffle`` exchanges each place with, from the last to the first."""
    partners, bits = (
        array('I', bytes(n * array('I').itemsize)),
        Random(f'{seed}/{purpose}').getrandbits,
    )
    for i in range(n - 1, 0, -1):
        width = (i + 1).bit_length()
        j = bits(width)
        while j > i:
            j = bits(width)
        partners[i] = j
    return partners
