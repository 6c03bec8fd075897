"""First images of a detector that show no object."""

import pytest

from mmal.annotation.batch import Batch
from mmal.annotation.importer import import_file
from mmal.annotation.validation import Rules
from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.pool.order import shuffled
from tests.annotation.annotation_fixtures import write
from tests.oracles.test_human import label, of_people, said

pytestmark = pytest.mark.usefixtures('no_drawing')


def label_empty(folder, dataset, but=()):
    """Label a batch as if it showed nothing, but some of its images."""
    truth = read_json(dataset / 'train.json')
    ids = {i.id for i in Batch.read(folder).images}
    content = dict(truth, images=[i for i in truth['images'] if i['id'] in ids],
                   annotations=[a for a in truth['annotations'] if a['image_id'] in ids.intersection(but)])
    import_file(folder, write(folder.parent / 'answers.json', content), Rules(without_boxes='empty'))


def test_first_images_without_an_object_end_in_a_message_and_more_can_be_asked_for(make_cfg, run, dataset, tmp_path):
    work_dir = tmp_path / 'people'
    run(of_people(make_cfg, dataset, work_dir, initial=4))
    label_empty(work_dir / 'initial', dataset)
    with pytest.raises(InputError, match='None of the 4 first images to train on shows an object, .* move .*initial'):
        run(of_people(make_cfg, dataset, work_dir, initial=4))
    assert not (work_dir / 'initial.json').exists()
    (work_dir / 'initial').rename(work_dir / 'away')
    for _ in range(2):
        run(of_people(make_cfg, dataset, work_dir, initial=6, allow_config_change=True))
        if (work_dir / 'initial.json').exists():
            break
        label(work_dir / 'initial', dataset)
    assert len(read_json(work_dir / 'initial.json')['images']) == 6
    assert 'images of batch round_00 wait for labels' in said(work_dir)


def test_a_holdout_without_an_object_is_warned_of(make_cfg, run, dataset, tmp_path):
    settings = dict(initial=4, holdout=0.25, sampler=dict(type='mmal.RandomSampler'))
    run(of_people(make_cfg, dataset, tmp_path, **settings))
    ids = shuffled(range(1, 15), 0, 'initial')[:4]
    label_empty(tmp_path / 'initial', dataset, but=ids[1:])
    run(of_people(make_cfg, dataset, tmp_path, **settings))
    assert 'None of the 1 images held out shows an object' in said(tmp_path)
