"""How far methods choose the same images: the Jaccard overlap of their queries."""

from __future__ import annotations

from collections.abc import Set
from itertools import combinations
from typing import Any

import pandas as pd

from .selection import QuerySelection, Selections

COLUMNS = ('first', 'second', 'round', 'n', 'query', 'so_far')


def jaccard(first: Set[str], second: Set[str]) -> float:
    """Jaccard index of two sets: size of the intersection over that of the union.

    Args:
        first: Ids of the images that one method chose.
        second: Ids of the images that another method chose.

    Returns:
        1 if the sets are equal, 0 if they share nothing, NaN if both are empty.
    """
    union = first | second
    if not union:
        return float('nan')
    return len(first & second) / len(union)


def overlap_table(selections: Selections) -> pd.DataFrame:
    """Overlap of every two methods by round, at the same seed, averaged over their common seeds.

    Args:
        selections: Queries of :func:`mmal.benchmark.stats.selection.selections_of`.

    Returns:
        Columns ``first``, ``second``, ``round``, ``n`` (seeds), ``query`` (Jaccard index of what
        the round's queries chose) and ``so_far`` (Jaccard index of all that was chosen up to the
        round, without the shared initial set).
    """
    rows = []
    for first, second in combinations(selections, 2):
        rows += _rows_of_pair(selections, first, second)
    table: pd.DataFrame = pd.DataFrame(rows, columns=list(COLUMNS))
    return table


def _rows_of_pair(selections: Selections, first: str, second: str) -> list[dict[str, Any]]:
    """Rows of the overlap table for two methods, by round."""
    overlaps = []
    for seed, queries in selections[first].items():
        if seed in selections[second]:
            overlaps += _overlaps_of_seed(queries, selections[second][seed])
    table = pd.DataFrame(overlaps, columns=['round', 'query', 'so_far'])
    seeds = table.groupby('round').size()
    means = table.groupby('round').mean()
    rows = []
    for number, mean in means.iterrows():
        row = {'first': first, 'second': second, 'round': number, 'n': int(seeds[number])}
        row['query'] = mean['query']
        row['so_far'] = mean['so_far']
        rows.append(row)
    return rows


def _overlaps_of_seed(
    first: list[QuerySelection], second: list[QuerySelection]
) -> list[tuple[int, float, float]]:
    """Round, overlap of the query and of all so far, for the rounds that both runs begin with."""
    overlaps = []
    first_so_far: set[str] = set()
    second_so_far: set[str] = set()
    for first_query, second_query in zip(first, second, strict=False):
        if first_query.round != second_query.round:
            # a round of one run cannot be read, so what was chosen so far is not known any more
            break
        first_ids = {str(image_id) for image_id in first_query.ids}
        second_ids = {str(image_id) for image_id in second_query.ids}
        first_so_far |= first_ids
        second_so_far |= second_ids
        in_query = jaccard(first_ids, second_ids)
        so_far = jaccard(first_so_far, second_so_far)
        overlaps.append((first_query.round, in_query, so_far))
    return overlaps
