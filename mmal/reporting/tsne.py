"""The pool on a plane, with the chosen images marked (paper, Figure 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from numpy.typing import NDArray

from .style import STYLE, legend_label, new_figure, png_bytes

MAX_COLOURS = 20
"""Colours of matplotlib's map 'tab20'; more groups than these share them."""


def embed(
    features: NDArray[Any], seed: int = 0, most: int = 5000, kept: Sequence[int] = ()
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """t-SNE of feature vectors.

    Of more than ``most`` vectors a random part is embedded, so that it always takes little time.

    Args:
        features: Feature vectors, shape (N, D).
        seed: Seed of the random part and of t-SNE. Defaults to 0.
        most: Number of vectors embedded at most, unless more are to be kept. Defaults to 5000.
        kept: Rows that are embedded in any case: the chosen ones. Defaults to none.

    Returns:
        Rows that were embedded, ascending, and their places, shape (n, 2).
    """
    from sklearn.manifold import TSNE

    rows = _rows_to_embed(len(features), seed, most, kept)
    perplexity = min(30, max(1, (len(rows) - 1) / 3))
    tsne = TSNE(random_state=seed, init='pca', perplexity=perplexity)
    return rows, tsne.fit_transform(features[rows])


def _rows_to_embed(n: int, seed: int, most: int, kept: Sequence[int]) -> NDArray[np.intp]:
    """All of n rows, or those to be kept and a random part of the others; ascending."""
    rows = np.arange(n)
    if n <= most:
        return rows
    always = np.unique(np.asarray(kept, dtype=int))
    others = np.random.default_rng(seed).permutation(np.setdiff1d(rows, always))
    free_places = max(0, most - len(always))
    return np.sort(np.concatenate([always, others[:free_places]]))


def draw_tsne(
    places: NDArray[Any],
    groups: Sequence[Any],
    chosen: Sequence[bool],
    title: str,
    images: int | None = None,
) -> bytes:
    """A PNG of the embedded pool: one colour per group, the chosen images as black crosses.

    Args:
        places: Place of each image, shape (N, 2).
        groups: Group of each image, for instance the class its model predicts. At most 20 groups
            get a colour of their own.
        chosen: Whether each image was chosen.
        title: Text over the picture.
        images: Number of images in all, N of which are shown. Defaults to None: N.
    """
    group_of = np.asarray(groups)
    is_chosen = np.asarray(chosen, dtype=bool)
    with rc_context(STYLE):
        figure, axis = new_figure(8, 6.4)
        for place, group in enumerate(sorted(set(group_of.tolist()))):
            members = places[group_of == group]
            axis.scatter(
                members[:, 0],
                members[:, 1],
                s=6,
                color=colormaps['tab20'](place % MAX_COLOURS),
                label=legend_label(group),
                linewidths=0,
            )
        crosses = places[is_chosen]
        axis.scatter(
            crosses[:, 0],
            crosses[:, 1],
            s=36,
            c='black',
            marker='x',
            linewidths=1.2,
            label=f'chosen ({int(is_chosen.sum())})',
        )
        axis.set_axis_off()
        axis.set_title(title)
        axis.legend(
            loc='center left',
            bbox_to_anchor=(1, 0.5),
            markerscale=2,
            title=f'{len(places):,} of {images or len(places):,} images shown',
        )
        return png_bytes(figure)
