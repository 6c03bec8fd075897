import logging

import pytest

from mmal.engine.pool_features import pool_features
from mmal.reporting.finished_round import SavedRound


@pytest.mark.usefixtures('no_drawing')
def test_every_pool_image_has_features_and_a_class_and_nothing_is_saved(make_cfg, run):
    work_dir = run(make_cfg(rounds=2, max_epochs=1))
    ids, features, classes = pool_features(SavedRound(work_dir, 0), None, logging.getLogger())
    assert sorted(ids) == list(range(1, 15))
    assert features.shape == (14, 32)
    assert set(classes) <= {'disc', 'square', 'nothing'}
    assert not (work_dir / 'look').exists() or not list((work_dir / 'look').glob('*.pth'))
