"""Scores in rank order, as columns: looking up millions of ids one by one would take minutes."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .order import in_order, shuffled_places


class Ranked(NamedTuple):
    """A ranking as three columns of one length, best first.

    Attributes:
        ids: Image ids, as int64 if all ids are whole numbers that fit, else as objects.
        values: Scores, float64.
        boxes: Numbers of confident predictions, int64; -1 where there is none.
    """

    ids: NDArray[Any]
    values: NDArray[np.float64]
    boxes: NDArray[np.int64]


def ranked(
    value: Mapping[Any, float],
    seed: int,
    purpose: str,
    first: Sequence[Hashable] = (),
    boxes: Mapping[Any, int] | None = None,
    last: Collection[Hashable] = (),
) -> Ranked:
    """Rank ids by ascending score, whatever the order they come in.

    Args:
        value: Score by image id; scores that are not finite come last.
        seed: Seed of the run. Ties break by the seed, the purpose and the ids.
        purpose: Name of what is ranked.
        first: Ids that come before all others, in this order. Defaults to none.
        boxes: Number of confident predictions by image id, of those that have one. Defaults to
            None: of no image.
        last: Ids that come after all others whose scores are finite, by their scores. Defaults to
            none.
    """
    ids = in_order(value)
    values = np.fromiter(map(value.__getitem__, ids), np.float64, len(ids))
    box_counts = boxes or {}
    counts = np.fromiter((box_counts.get(i, -1) for i in ids), np.int64, len(ids))
    places = _places_by_value(values, seed, purpose)
    if first or last:
        places = _move_to_ends(places, ids, values, first, last)
    return Ranked(_id_column(ids)[places], values[places], counts[places])


def _places_by_value(values: NDArray[np.float64], seed: int, purpose: str) -> NDArray[np.intp]:
    """Places of the values in ascending order; equal values are shuffled."""
    values = np.where(np.isfinite(values), values, np.inf)
    places = np.argsort(values)
    ascending = values[places]
    has_ties = bool((ascending[1:] == ascending[:-1]).any())
    if not has_ties:
        # A shuffle of millions costs more than all the rest.
        return places
    mixed = np.array(shuffled_places(len(values), seed, purpose))
    by_value = np.argsort(values[mixed], kind='stable')
    return mixed[by_value]


def _move_to_ends(
    places: NDArray[np.intp],
    ids: list[Any],
    values: NDArray[np.float64],
    first: Sequence[Hashable],
    last: Collection[Hashable],
) -> NDArray[np.intp]:
    """The places with those of the ids in ``first`` before, and those in ``last`` after all
    others that have a finite value.
    """
    others = len(first)
    rank_of = dict.fromkeys(last, others + 1)
    rank_of.update((image_id, rank) for rank, image_id in enumerate(first))
    ranks = np.fromiter((rank_of.get(i, others) for i in ids), np.int64, len(ids))
    ranks[~np.isfinite(values) & (ranks == others)] = others + 2
    return places[np.argsort(ranks[places], kind='stable')]


def _id_column(ids: list[Any]) -> NDArray[Any]:
    """Ids as plain numbers where they can be: fetching objects in rank order is slow."""
    if set(map(type, ids)) == {int} and min(ids) >= -(2**63) and max(ids) < 2**63:
        return np.fromiter(ids, np.int64, len(ids))
    return np.fromiter(ids, object, len(ids))
