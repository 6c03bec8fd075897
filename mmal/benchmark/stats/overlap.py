"""How far methods choose the same images: the Jaccard overlap of their queries."""

from __future__ import annotations

from itertools import combinations

import pandas as pd

from .selection import Selections


def jaccard(first: set, second: set) -> float:
    """Size of the intersection over that of the union: 1 if equal, 0 if nothing is shared; NaN if both are empty."""
    union = first | second
    return len(first & second) / len(union) if union else float('nan')


def overlap_table(found: Selections) -> pd.DataFrame:
    """Overlap of every two methods in every round, at the same seed, averaged over the seeds that both have.

    Args:
        found: Of :func:`mmal.benchmark.stats.selection.selections_of`.

    Returns:
        Columns ``first``, ``second``, ``round``, ``n`` (seeds), ``query`` (Jaccard of what the round's queries chose)
        and ``so_far`` (of all that was chosen up to it, the shared initial set left out).
    """
    rows = []
    for first, second in combinations(found, 2):
        each = [
            row
            for seed in found[first]
            if seed in found[second]
            for row in _of_seed(found[first][seed], found[second][seed])
        ]
        pair = pd.DataFrame(each, columns=['round', 'query', 'so_far'])
        means = pair.groupby('round').mean().assign(n=pair.groupby('round').size())
        rows += [
            dict(
                first=first,
                second=second,
                round=number,
                n=int(row['n']),
                query=row['query'],
                so_far=row['so_far'],
            )
            for number, row in means.iterrows()
        ]
    return pd.DataFrame(rows, columns=['first', 'second', 'round', 'n', 'query', 'so_far'])


def _of_seed(first: list, second: list):
    """Round, overlap of the query and of all so far, for the rounds from the start that both have."""
    so_far = (set(), set())
    for a, b in zip(first, second, strict=False):
        if a.round != b.round:  # an unreadable round: what was chosen so far is not known any more
            return
        sets = ({str(i) for i in a.ids}, {str(i) for i in b.ids})
        so_far = (so_far[0] | sets[0], so_far[1] | sets[1])
        yield a.round, jaccard(*sets), jaccard(*so_far)
