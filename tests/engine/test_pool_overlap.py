"""Images of the pool in a set that people are still to label; see test_set_overlap.py for whole runs."""

import logging
from types import SimpleNamespace

import pytest
from mmengine import Config

from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.export import write_batch
from mmal.engine.pool_overlap import find_pool_overlaps, require_pool_apart
from mmal.errors import InputError
from tests.utils.odd_files import by_pillow


@pytest.fixture
def run(tmp_path):
    """A run whose evaluation set is a batch without labels, with two images of the pool in it."""
    paths = {}
    for number, mode in enumerate(('RGB', 'L', 'RGBA')):
        paths[number] = str(tmp_path / f'{number}.png')
        by_pillow(paths[number], mode)
    (tmp_path / 'copy.png').write_bytes((tmp_path / '1.png').read_bytes())
    names = ('0.png', 'copy.png')
    images = [BatchImage(id=n, file_name=name, rank=n, width=50, height=40) for n, name in enumerate(names)]
    categories = [dict(id=1, name='cat')]
    write_batch(Batch('evaluation', ['cat'], categories, str(tmp_path), images), tmp_path / 'evaluation')
    data = SimpleNamespace(images=[dict(id=n) for n in paths], image_path=paths.__getitem__,
                           file_info=lambda n: dict(file_name=f'{n}.png'))
    cfg = Config(dict(test_dataloader=dict(dataset=dict(ann_file=str(tmp_path / 'evaluation' / 'annotations.json')))))
    return SimpleNamespace(
        data=data, cfg=cfg, oracle=SimpleNamespace(is_human=True), sampler=SimpleNamespace(needs_s_test=False),
        stest=None, settings=SimpleNamespace(check_images=True, drop_evaluation_images=None), log=logging.getLogger())


def test_a_batch_that_waits_for_labels_is_compared_by_its_images(run):
    shared, = find_pool_overlaps(run, {})
    assert shared.ids == [0, 1]
    assert shared.record == dict(set='evaluation set', images=2, shown=['0.png', '1.png (there copy.png)'],
                                 by='file and content', dropped=False)
    with pytest.raises(InputError, match='2 images of the pool are in the evaluation set, too'):
        require_pool_apart(run, {})


def test_nothing_is_refused_once_it_is_decided(run):
    run.settings.drop_evaluation_images = False
    require_pool_apart(run, {})


def test_where_images_are_not_looked_at_names_alone_are_compared(run):
    run.settings.check_images = False
    shared, = find_pool_overlaps(run, {})
    assert (shared.ids, shared.record['by']) == ([0], 'file name alone')
