"""A whole project, and what keeps one from being made."""

import logging
import re
import shutil
import sys
from dataclasses import replace

import pytest
from mmengine.config import Config

from mmal.annotation.batch import Batch
from mmal.errors import InputError
from mmal.fileio.text import read_csv, read_json
from mmal.project.base_config import BaseConfig
from mmal.project.create import create
from mmal.project.image_source import find_images
from mmal.project.settings import Settings
from tests.project.conftest import picture
from tests.utils import odd_files
from tests.zoo_configs import ROOT

DETECTOR, CLASSIFIER = (str(ROOT / 'configs' / n) for n in ('fcos_digits_isal.py', 'resnet_digits_isal.py'))


@pytest.fixture
def made(pictures, tmp_path):
    """Make a project; returns its folder and what was said."""
    def go(base=DETECTOR, images=pictures, **settings):
        settings = Settings(['cat', 'dog'], **dict(dict(out=str(tmp_path / 'project')), **settings))
        return tmp_path / 'project', create(find_images(images), BaseConfig(base), settings, logging.getLogger('t'))

    return go


def test_a_pool_for_boxes_has_sizes_and_ids_in_the_order_of_names(made):
    folder, said = made(evaluation=4)
    pool, rows = read_json(folder / 'pool.json'), read_csv(folder / 'images.csv')
    number = {row['file_name']: n for n, row in enumerate(rows, 1)}
    assert sorted(number) == [row['file_name'] for row in rows]
    assert [i['id'] for i in pool['images']] == [number[i['file_name']] for i in pool['images']]
    assert {(i['width'], i['height']) for i in pool['images']} == {(64, 48)}
    assert (pool['annotations'], pool['categories']) == ([], [dict(id=1, name='cat'), dict(id=2, name='dog')])
    batch = Batch.read(folder / 'evaluation')
    assert (batch.classes, batch.has_boxes, len(batch.images)) == (['cat', 'dog'], True, 4)
    assert {i.file_name for i in batch.images} == {r['file_name'] for r in rows if r['part'] == 'evaluation'}
    assert not {i.file_name for i in batch.images} & {i['file_name'] for i in pool['images']}
    assert [i.id for i in batch.images] == [number[i.file_name] for i in batch.images]
    assert 'pool:             16; 10 to label first, chosen at random, then 5 a round' in said


def test_a_pool_for_classes_is_a_list_of_names(made, pictures):
    folder, _ = made(CLASSIFIER, evaluation=4)
    pool, evaluation = ((folder / f'{n}.txt').read_text().splitlines() for n in ('pool', 'evaluation'))
    assert sorted(pool + evaluation) == [f'{n:02d}.png' for n in range(15)] + [f'more/{n}.png' for n in range(15, 20)]
    batch = Batch.read(folder / 'evaluation')
    assert not batch.has_boxes
    assert [i.id for i in batch.images] == [i.file_name for i in batch.images] == evaluation
    assert (folder / 'evaluation/to_label/images.txt').read_text().splitlines() == [
        f'{pictures}/{n}' for n in evaluation]


def test_duplicates_and_what_is_unusable_are_in_tables_and_in_words(made, pictures):
    shutil.copy(pictures / '03.png', pictures / 'copy.png')
    picture(pictures / 'near.jpg', 4)
    (pictures / 'bad.png').write_text('')
    folder, said = made(evaluation=1, seed=3)
    assert [list(r.values())[:3] for r in read_csv(folder / 'duplicates.csv')] == [
        ['copy.png', 'same', '03.png'], ['near.jpg', 'alike', '04.png']]
    assert [r['file_name'] for r in read_csv(folder / 'unusable.csv')] == ['bad.png']
    for line in ('unusable:         1 left out (unusable.csv), e.g. bad.png: is empty (0 bytes)',
                 'exact duplicates: 1 left out (duplicates.csv), e.g. copy.png is 03.png',
                 'near-duplicates:  1, of 1 images; kept; --drop-near-duplicates leaves them out (duplicates.csv), '
                 'e.g. near.jpg looks like 04.png'):
        assert line in said
    assert 'near.jpg' in {i['file_name'] for i in read_json(folder / 'pool.json')['images']}


def test_look_alikes_can_be_dropped(made, pictures):
    picture(pictures / 'near.jpg', 4)
    folder, said = made(drop_near_duplicates=True, evaluation=2)
    assert {r['file_name']: r['part'] for r in read_csv(folder / 'images.csv')}['near.jpg'] == 'dropped'
    assert len(read_json(folder / 'pool.json')['images']) == 18
    assert 'near-duplicates:  1, of 1 images; left out (duplicates.csv)' in said


def test_notes_say_what_a_user_should_know(made, pictures):
    picture(pictures / 'large.png', 50, size=(80, 60))
    _, said = made(CLASSIFIER, cold_start='coreset')
    assert 'begins with random weights' in said
    assert 'images come in 2 sizes' in said
    assert 'browsers' not in said


@pytest.mark.parametrize(('weights', 'asked', 'expected', 'said'), [
    ('mine.pth', None, 'mmal.HerdingSampler', 'chosen by herding on what the backbone sees'),
    ('mine.pth', 'random', 'random', 'chosen at random'), (None, None, 'random', 'chosen at random')])
def test_the_first_images_are_herded_where_the_backbone_is_pretrained(made, tmp_path, weights, asked, expected, said):
    base = Config.fromfile(CLASSIFIER)
    base.load_from = weights
    base.dump(tmp_path / 'base.py')
    folder, text = made(str(tmp_path / 'base.py'), cold_start=asked)
    found = Config.fromfile(folder / 'config.py').train_cfg.cold_start
    assert (found if isinstance(found, str) else found.type) == expected
    assert f'10 to label first, {said}, then' in text


def test_images_that_browsers_do_not_show_are_named(made, pictures):
    picture(pictures / 'x.tif', 51)
    picture(pictures / 'y.TIFF', 52)
    _, said = made()
    assert 'NOTE: 2 images are of a kind that browsers do not show, e.g. x.tif, and so may not labeling tools' in said


@pytest.mark.parametrize(('head', 'several', 'metric'), [('MultiLabelLinearClsHead', True, 'AveragePrecision'),
                                                         ('LinearClsHead', False, 'Accuracy')])
def test_people_are_asked_for_several_classes_if_the_head_takes_them(made, tmp_path, head, several, metric):
    base = Config.fromfile(CLASSIFIER)
    base.model.head = dict(type=head, num_classes=10, in_channels=512)
    base.dump(tmp_path / 'base.py')
    folder, _ = made(str(tmp_path / 'base.py'))
    assert Batch.read(folder / 'evaluation').several_labels is several
    choice = 'multiple' if several else 'single'
    assert f'choice="{choice}"' in (folder / 'evaluation/to_label/label_studio.xml').read_text()
    assert Config.fromfile(folder / 'config.py').test_evaluator.type == metric


def test_what_cannot_be_made_is_refused_and_leaves_nothing(made, pictures, tmp_path):
    for settings, message in ((dict(initial=20), '18 images are left for the pool, fewer than the 20'),
                              (dict(evaluation=30), 'only 20 of 20 images look different'),
                              (dict(evaluation=19), '1 images are left for the pool, fewer than the 2'),
                              (dict(out=str(tmp_path / "it's")), 'a quote, brace or backslash'),
                              (dict(out=str(pictures)), 'is not empty'),
                              (dict(out=str(pictures / '00.png')), 'is a file')):
        with pytest.raises(InputError, match=re.escape(message)):
            made(**settings)
        assert [p.name for p in tmp_path.iterdir()] == ['pics']


def test_images_of_which_none_can_be_used_are_refused(made, tmp_path):
    (tmp_path / 'bad').mkdir()
    (tmp_path / 'bad' / 'a.png').write_text('')
    with pytest.raises(InputError, match='None of 1 images can be used, e.g. .*a.png: is empty'):
        made(images=tmp_path / 'bad')


def test_an_error_while_writing_leaves_nothing(made, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(sys.modules['mmal.project.create'], 'config_text', full)
    with pytest.raises(OSError, match='No space'):
        made()
    assert [p.name for p in tmp_path.iterdir()] == ['pics']


def test_the_same_seed_makes_the_same_project(made, tmp_path):
    first, _ = made()
    text = (first / 'pool.json').read_text()
    shutil.rmtree(first)
    assert (made()[0] / 'pool.json').read_text() == text
    shutil.rmtree(first)
    assert (made(seed=1)[0] / 'pool.json').read_text() != text


def test_ids_of_a_coco_file_are_kept(made, pictures):
    source = find_images(pictures)
    source = replace(source, ids={name: f'id-{name}' for name in source.names})
    settings = Settings(['cat'], str(pictures.parent / 'other'))
    create(source, BaseConfig(DETECTOR), settings, logging.getLogger('t'))
    pool = read_json(pictures.parent / 'other' / 'pool.json')
    assert all(i['id'] == f'id-{i["file_name"]}' for i in pool['images'])


def test_an_image_that_the_loader_of_the_config_does_not_read_is_unusable_and_depth_is_said(made, pictures):
    """Pillow reads the first one, and not the last."""
    odd_files.FLOATS['float.tif'](pictures / 'float.tif')
    odd_files.DEEP['deep.png'](pictures / 'deep.png')
    odd_files.DEEP['deep_rgb.tif'](pictures / 'deep_rgb.tif')
    folder, said = made(evaluation=1, seed=3)
    (row,) = read_csv(folder / 'unusable.csv')
    assert row['file_name'] == 'float.tif'
    assert row['reason'].startswith('LoadImageFromFile(')
    assert 'NOTE: 2 images have more than 8 bits a channel, and are loaded with 8: deep.png, deep_rgb.tif.' in said
    assert {'deep.png', 'deep_rgb.tif'} <= {i['file_name'] for i in read_json(folder / 'pool.json')['images']}
