"""New images for the pool of a project that exists."""

import logging
import shutil

import pytest

from mmal.errors import InputError
from mmal.fileio.text import read_csv, read_json, write_json
from mmal.project.add_images import add_images, read_project
from mmal.project.base_config import BaseConfig
from mmal.project.create import create
from mmal.project.image_source import find_images
from mmal.project.settings import Settings
from tests.project.conftest import picture
from tests.project.test_create import CLASSIFIER, DETECTOR

LOG = logging.getLogger('t')


@pytest.fixture(params=[DETECTOR, CLASSIFIER])
def project(request, pictures, tmp_path):
    settings = Settings(['cat', 'dog'], out=str(tmp_path / 'project'), evaluation=4)
    create(find_images(pictures), BaseConfig(request.param), settings, LOG)
    return tmp_path / 'project'


def entries(project):
    if (project / 'pool.json').exists():
        return [(image['id'], image['file_name']) for image in read_json(project / 'pool.json')['images']]
    return [(name, name) for name in (project / 'pool.txt').read_text().splitlines()]


def test_new_files_come_after_those_that_are_there_and_copies_do_not(project, pictures, tmp_path):
    before = entries(project)
    parts = {row['file_name']: row['part'] for row in read_csv(project / 'images.csv')}
    evaluated = next(name for name, part in parts.items() if part == 'evaluation')
    assert add_images(read_project(project), find_images(pictures), LOG).startswith('All 20 images are in')
    picture(pictures / '000_first.png', 300)
    picture(pictures / 'more' / '90.png', 301)
    shutil.copy(pictures / '03.png', pictures / 'copy.png')
    picture(pictures / 'near.jpg', int(evaluated[-6:-4]))
    (pictures / 'bad.png').write_text('')
    said = add_images(read_project(project), find_images(pictures), LOG)
    after = entries(project)
    assert after[:len(before)] == before
    assert [name for _, name in after[len(before):]] == ['000_first.png', 'more/90.png']
    assert len({image_id for image_id, _ in after}) == len(after)
    assert '5 new images, 2 of them added to the pool, which has 18 now.' in said
    assert '1 copies left out, e.g. copy.png is 03.png' in said
    assert '1 that look like images for evaluation set aside' in said
    assert '1 cannot be used, e.g. bad.png: ' in said
    assert '--resume --pool-grew' in said
    parts = {row['file_name']: row['part'] for row in read_csv(project / 'images.csv')}
    assert (parts['000_first.png'], parts['near.jpg']) == ('pool', 'aside')

    picture(tmp_path / 'elsewhere' / 'a.png', 302)
    add_images(read_project(project), find_images(tmp_path / 'elsewhere'), LOG)
    assert entries(project)[-1][1] == str(tmp_path / 'elsewhere' / 'a.png')


def test_an_addition_that_was_ended_too_early_is_made_again(project, pictures):
    before = {name: (project / name).read_bytes() for name in ('pool.json', 'pool.txt') if (project / name).exists()}
    picture(pictures / '90.png', 300)
    add_images(read_project(project), find_images(pictures), LOG)
    expected, table = entries(project), (project / 'images.csv').read_bytes()
    for name, content in before.items():
        (project / name).write_bytes(content)
    add_images(read_project(project), find_images(pictures), LOG)
    assert entries(project) == expected
    assert (project / 'images.csv').read_bytes() == table


def test_an_id_that_is_text_does_not_read_like_a_new_one(project, pictures):
    if not (project / 'pool.json').exists():
        pytest.skip('ids are names')
    content = read_json(project / 'pool.json')
    content['images'][0]['id'] = '21'
    write_json(project / 'pool.json', content)
    picture(pictures / '90.png', 300)
    add_images(read_project(project), find_images(pictures), LOG)
    assert entries(project)[-1] == (22, '90.png')


def test_a_folder_that_is_no_project_is_refused(tmp_path):
    with pytest.raises(InputError, match='expected a project that mmal init made'):
        read_project(tmp_path)
