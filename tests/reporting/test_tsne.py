import io

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from mmal.reporting.tsne import draw_tsne, embed


def test_clusters_stay_apart_and_a_large_pool_is_thinned():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(5 * k, 0.1, (40, 8)) for k in range(3)])
    rows, places = embed(features, most=90)
    assert len(rows) == len(places) == 90
    assert (np.diff(rows) > 0).all()
    groups = rows // 40
    centers = np.stack([places[groups == k].mean(0) for k in range(3)])
    nearest = np.linalg.norm(places[:, None] - centers, axis=2).argmin(1)
    assert (nearest == groups).mean() > 0.95
    again = embed(features, most=90)
    assert np.array_equal(rows, again[0])
    assert np.allclose(places, again[1])
    png = draw_tsne(places, [f'class {g}' for g in groups], rows % 9 == 0, 'the pool')
    assert Image.open(io.BytesIO(png)).size == (960, 768)


def test_what_was_chosen_stays_where_a_large_pool_is_thinned():
    features, chosen = np.random.default_rng(0).normal(size=(300, 4)), [7, 250, 8, 299]
    rows = embed(features, most=20, kept=chosen)[0]
    assert len(rows) == 20
    assert set(chosen) <= set(rows.tolist())
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(embed(features, most=20, kept=chosen[::-1])[0], rows)
    assert embed(features, most=3, kept=chosen)[0].tolist() == sorted(chosen), 'none is dropped for the number'
    assert len(embed(features[:30], kept=[3])[0]) == 30


def test_the_legend_says_how_many_are_shown(monkeypatch):
    said = []
    monkeypatch.setattr(Axes, 'legend', lambda self, **kwargs: said.append(
        (kwargs['title'], self.get_legend_handles_labels()[1])))
    places = np.random.default_rng(0).normal(size=(30, 2))
    draw_tsne(places, ['a'] * 30, [True] * 4 + [False] * 26, 'the pool', 118_000)
    draw_tsne(places, ['a'] * 30, [True] * 4 + [False] * 26, 'the pool')
    assert said == [(f'30 of {n} images shown', ['a', 'chosen (4)']) for n in ('118,000', '30')]
