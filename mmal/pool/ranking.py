"""Scores in rank order, as columns: of millions of ids, looking each up by itself takes minutes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .order import in_order, shuffled_places


class Ranked(NamedTuple):
    """Columns, best first.

    Attributes:
        ids: Whole numbers if all ids are, else objects.
        values: Scores, float64.
        boxes: Numbers of confident predictions; -1 where there is none.
    """

    ids: np.ndarray
    values: np.ndarray
    boxes: np.ndarray


def ranked(
    value: Mapping[Hashable, float],
    seed: int,
    purpose: str,
    first: Sequence[Hashable] = (),
    boxes: Mapping[Hashable, int] | None = None,
) -> Ranked:
    """Ids by ascending score, whatever the order they came in.

    Args:
        value: Score by id; those that are not finite come last.
        seed: Ties break by seed, purpose and the ids.
        purpose: What is ranked.
        first: Ids that come before all others, in this order.
        boxes: Number of confident predictions by id, of those that have one.
    """
    ids = in_order(value)
    values = np.fromiter(map(value.__getitem__, ids), np.float64, len(ids))
    found = boxes or {}
    counts = np.fromiter((found.get(i, -1) for i in ids), np.int64, len(ids))
    places = _by_value(values, seed, purpose)
    if first:
        lead = {i: n for n, i in enumerate(first)}
        turn = np.fromiter((lead.get(i, len(lead)) for i in ids), np.int64, len(ids))
        places = places[np.argsort(turn[places], kind='stable')]
    return Ranked(_column(ids)[places], values[places], counts[places])


def _by_value(values: np.ndarray, seed: int, purpose: str) -> np.ndarray:
    values = np.where(np.isfinite(values), values, np.inf)
    places = np.argsort(values)
    ascending = values[places]
    if (
        ascending[1:] == ascending[:-1]
    ).any():  # a shuffle of millions costs more than all the rest
        mixed = np.array(shuffled_places(len(values), seed, purpose))
        places = mixed[np.argsort(values[mixed], kind='stable')]
    return places


def _column(ids: list) -> np.ndarray:
    """Whole numbers lie side by side where they can: fetching objects in rank order is slow."""
    if set(map(type, ids)) == {int} and min(ids) >= -(2**63) and max(ids) < 2**63:
        return np.fromiter(ids, np.int64, len(ids))
    return np.fromiter(ids, object, len(ids))
