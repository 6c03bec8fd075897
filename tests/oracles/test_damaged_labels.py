"""Labels that people brought in, damaged after the run went on from them."""

import os

import pytest

from mmal.fileio.checksummed import CorruptStateError
from mmal.fileio.text import read_json
from tests.oracles.test_human import label, of_people, said

pytestmark = pytest.mark.usefixtures('no_drawing')


def test_they_are_named_and_brought_in_again(make_cfg, run, dataset, tmp_path):
    work_dir = tmp_path / 'people'

    def go(**more):
        run(of_people(make_cfg, dataset, work_dir, rounds=2, sampler=dict(type='mmal.RandomSampler'),
                      **more))

    for batch in ('initial', 'round_00'):
        go()
        label(work_dir / batch, dataset)
    go()
    before = read_json(work_dir / 'round_00' / 'labeled.json'), read_json(work_dir / 'initial.json')
    for batch, images, closing in (('round_00', 3, {}), ('initial', 6, dict(on_corruption='restore'))):
        os.truncate(work_dir / batch / 'labels.json', 9)
        with pytest.raises(CorruptStateError, match=f'{batch}/labels.json is damaged.*--resume verified'):
            go()
        go(on_corruption='restore')
        assert said(work_dir).count(f'{images} of {images} images of batch {batch} wait for labels') == 2
        label(work_dir / batch, dataset)
        go(**closing)
        go()
        assert (read_json(work_dir / 'round_00' / 'labeled.json'), read_json(work_dir / 'initial.json')) == before
