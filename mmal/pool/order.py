"""Orders of image ids that depend on the ids and a seed alone. Standard library only."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Sequence
from random import Random
from typing import Any, TypeVar

ImageId = TypeVar('ImageId', bound=Hashable)

CHUNK = 100_000
"""Number of ids whose text is held in memory at a time."""


def sort_key(image_id: Hashable) -> tuple[str, str]:
    """Give the sort key of an id of any type: numbers come first, by value, then text.

    Args:
        image_id: Any image id.
    """
    if isinstance(image_id, int):
        return ('', f'{image_id:+025d}')
    return ('text', str(image_id))


def naturally_ordered_type(ids: Sequence[Hashable]) -> type | None:
    """Find the type of ids that sort by themselves as by :func:`sort_key`, but ten times as fast.

    Args:
        ids: Any image ids.

    Returns:
        ``str`` or ``int`` if all ids are of that type and sort so; else None.
    """
    types = set(map(type, ids))
    if types == {str}:
        return str
    if types != {int}:
        return None
    numbers: Any = ids
    if min(numbers) >= 0 and max(numbers) < 10**24:
        return int
    return None


def in_order(ids: Iterable[ImageId]) -> list[ImageId]:
    """Sort ids by :func:`sort_key`.

    Args:
        ids: Any image ids, in any order.
    """
    unsorted: list[Any] = list(ids)
    if naturally_ordered_type(unsorted):
        return sorted(unsorted)
    return sorted(unsorted, key=sort_key)


def shuffled(ids: Iterable[ImageId], seed: int, purpose: str) -> list[ImageId]:
    """Shuffle ids, whatever the order they come in.

    Args:
        ids: Any image ids.
        seed: Seed of the run.
        purpose: Name of what the order is for; each purpose has an order of its own.

    Returns:
        All ids in an order that depends on ``seed``, ``purpose`` and the ids alone.
    """
    ordered = in_order(ids)
    return [ordered[place] for place in shuffled_places(len(ordered), seed, purpose)]


def shuffled_places(n: int, seed: int, purpose: str) -> array[int]:
    """Shuffle the numbers from 0 to ``n - 1``, as ``random.shuffle`` would.

    An array of plain numbers takes half the time where there are millions.

    Args:
        n: Number of places.
        seed: Seed of the run.
        purpose: Name of what the order is for.
    """
    places = array('I', range(n))
    partners = _swap_partners(n, seed, purpose)
    for i in range(n - 1, 0, -1):
        j = partners[i]
        places[i], places[j] = places[j], places[i]
    return places


def first_shuffled(ids: Iterable[ImageId], seed: int, purpose: str, n: int) -> list[ImageId]:
    """Take the first ``n`` of :func:`shuffled` without shuffling all.

    Only the ways of these ids through the shuffle are followed back.

    Args:
        ids: Any image ids.
        seed: Seed of the run.
        purpose: Name of what the order is for.
        n: Number of ids to take; all of them if there are fewer.
    """
    ordered = in_order(ids)
    n = min(n, len(ordered))
    partners = _swap_partners(len(ordered), seed, purpose)
    # By place before the shuffle, the place after it.
    end_of = {place: place for place in range(n)}
    for i in range(1, n):
        j = partners[i]
        end_of[i], end_of[j] = end_of[j], end_of[i]
    for i, j in enumerate(partners[n:], n):
        if j in end_of:
            end_of[i] = end_of.pop(j)
    return [ordered[place] for place in sorted(end_of, key=end_of.__getitem__)]


def _swap_partners(n: int, seed: int, purpose: str) -> array[int]:
    """The place that ``random.shuffle`` swaps each place with, going from the last to the first."""
    partners = array('I', bytes(n * array('I').itemsize))
    random_bits = Random(f'{seed}/{purpose}').getrandbits
    for i in range(n - 1, 0, -1):
        width = (i + 1).bit_length()
        j = random_bits(width)
        while j > i:
            j = random_bits(width)
        partners[i] = j
    return partners
