import io

import numpy as np
from PIL import Image

from mmal.analysis.tsne import draw_tsne, embed


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
