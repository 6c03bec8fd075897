"""The pool on a plane, with the chosen images marked (paper, Figure 5)."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np


def embed(
    features: np.ndarray, seed: int = 0, most: int = 5000, kept: Sequence[int] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """T-SNE of feature vectors; of more than ``most`` a random part, which always takes little time.

    Args:
        features: Shape (N, D).
        seed: Of the part and of t-SNE.
        most: Vectors embedded at most, unless more are to be kept.
        kept: Rows that are embedded in any case: the chosen ones. Defaults to none.

    Returns:
        Rows that were embedded, ascending, and their places, shape (n, 2).
    """
    from sklearn.manifold import TSNE

    rows = np.arange(len(features))
    if len(rows) > most:
        always = np.unique(np.asarray(kept, dtype=int))
        others = np.random.default_rng(seed).permutation(np.setdiff1d(rows, always))
        rows = np.sort(np.concatenate([always, others[: max(0, most - len(always))]]))
    perplexity = min(30, max(1, (len(rows) - 1) / 3))
    places = TSNE(random_state=seed, init='pca', perplexity=perplexity).fit_transform(
        features[rows]
    )
    return rows, places


def draw_tsne(
    places: np.ndarray,
    groups: Sequence,
    chosen: Sequence[bool],
    title: str,
    images: int | None = None,
) -> bytes:
    """PNG of the embedded pool: a colour a group (a class), the chosen as black crosses.

    Args:
        places: Shape (N, 2).
        groups: Of each image, e.g. the class its model predicts; at most 20 get a colour of their own.
        chosen: Whether each was chosen.
        title: Over the picture.
        images: How many there are in all, N of which are shown. Defaults to None: N.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6.4), layout='constrained')
    FigureCanvasAgg(figure)
    axis, groups, chosen = figure.subplots(), np.asarray(groups), np.asarray(chosen, dtype=bool)
    for n, group in enumerate(dict.fromkeys(sorted(groups.tolist()))):
        mine = groups == group
        axis.scatter(
            *places[mine].T, s=6, color=colormaps['tab20'](n % 20), label=str(group), linewidths=0
        )
    axis.scatter(
        *places[chosen].T,
        s=36,
        c='black',
        marker='x',
        linewidths=1.2,
        label=f'chosen ({int(chosen.sum())})',
    )
    axis.set_axis_off()
    axis.set_title(title)
    axis.legend(
        loc='center left',
        bbox_to_anchor=(1, 0.5),
        markerscale=2,
        frameon=False,
        title=f'{len(places):,} of {images or len(places):,} images shown',
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=120)
    return buffer.getvalue()
