"""A project from a folder of images, some of which are labeled already."""

import json
import logging
import shutil
from pathlib import Path

import pytest

from mmal.annotation.match_rules import MatchRule
from mmal.errors import InputError
from mmal.fileio.text import read_csv, read_json, write_json
from mmal.project.base_config import BaseConfig
from mmal.project.create import create
from mmal.project.image_source import find_images
from mmal.project.labeled_images import LabelPaths, add_existing_labels
from mmal.project.settings import Settings
from tests.project.conftest import picture
from tests.project.test_create import CLASSIFIER, DETECTOR


def coco_of(names, path, classes=('dog', 'cat')):
    images = [dict(id=n, file_name=name, width=64, height=48) for n, name in enumerate(names, 70)]
    boxes = [dict(id=n, image_id=image['id'], category_id=n % 2, bbox=[1, 2, 10, 12], area=120, iscrowd=0)
             for n, image in enumerate(images)]
    categories = [dict(id=n, name=name) for n, name in enumerate(classes)]
    path.write_text(json.dumps(dict(images=images, annotations=boxes, categories=categories)))
    return str(path)


@pytest.fixture
def made(pictures, tmp_path):
    """Make a project with labels; returns its folder and what was said."""
    def go(labeled, base=DETECTOR, val=None, classes=(), labeled_images=None, val_images=None, images=pictures,
           match=(), **settings):
        config = BaseConfig(base)
        paths = LabelPaths(labeled, labeled_images, val, val_images, match)
        source, labels = add_existing_labels(find_images(images), paths, config.boxes, list(classes))
        settings = Settings(labels.classes, str(tmp_path / 'project'), **settings)
        return tmp_path / 'project', create(source, config, settings, logging.getLogger('t'), labels)

    return go


def names_in(file):
    return [image['file_name'] for image in read_json(file)['images']]


def test_what_is_labeled_is_in_the_pool_and_the_rest_is_to_be_asked_for(made, pictures):
    labeled = [f'{n:02d}.png' for n in range(6)]
    folder, said = made(coco_of(labeled, pictures / 'train.json'), evaluation=4)
    content, pool = read_json(folder / 'labeled.json'), read_json(folder / 'pool.json')
    assert names_in(folder / 'labeled.json') == labeled
    assert {image['file_name']: image['id'] for image in content['images']}.items() <= {
        image['file_name']: image['id'] for image in pool['images']}.items()
    assert len(pool['images']) == 16
    assert content['categories'] == pool['categories'] == [dict(id=1, name='dog'), dict(id=2, name='cat')]
    assert [box['category_id'] for box in content['annotations']] == [1, 2, 1, 2, 1, 2]
    evaluation = read_json(folder / 'evaluation' / 'to_label' / 'batch.json')['images']
    assert not {image['file_name'] for image in evaluation} & set(labeled)
    text = (folder / 'config.py').read_text()
    assert "initial=project + 'labeled.json',  # 6 images that are labeled already" in text
    assert 'pool:             16; 6 labeled already, then 5 a round' in said
    assert 'evaluation:       4 new ones at random, to be labeled; --val FILE takes a set of your own' in said


def test_a_fifth_of_many_labeled_images_is_for_evaluation(made, pictures, tmp_path):
    for n in range(20, 60):
        picture(pictures / f'{n:02d}.png', n)
    labeled = [f'{n:02d}.png' for n in range(20, 50)]
    folder, said = made(coco_of(labeled, pictures / 'train.json'))
    evaluation = names_in(folder / 'evaluation' / 'annotations.json')
    assert len(evaluation) == 6
    assert sorted(evaluation + names_in(folder / 'labeled.json')) == labeled
    assert not (folder / 'evaluation' / 'to_label').exists(), 'nobody is asked'
    assert not set(evaluation) & set(names_in(folder / 'pool.json'))
    assert 'evaluation:       6 of the labeled images, at random, so never trained on' in said
    assert 'trains on what is labeled, and asks for the next' in said


def test_labels_in_another_folder_a_val_set_and_copies(made, pictures, tmp_path):
    other = tmp_path / 'old'
    picture(other / 'a.png', 101)
    shutil.copy(pictures / '00.png', other / 'b.png')
    shutil.copy(pictures / '01.png', other / 'v.png')
    train, val = coco_of(['a.png', 'b.png'], other / 'train.json'), coco_of(['v.png'], other / 'val.json')
    before = (other / 'train.json').read_bytes()
    folder, said = made(train, val=val)
    assert (other / 'train.json').read_bytes() == before
    assert names_in(folder / 'labeled.json') == ['old/a.png', 'old/b.png']
    assert names_in(folder / 'evaluation' / 'annotations.json') == ['old/v.png']
    pool = names_in(folder / 'pool.json')
    assert len(pool) == 2 + 18
    assert not {'pics/00.png', 'pics/01.png'} & set(pool), 'copies of what is labeled'
    parts = {row['file_name']: row['part'] for row in read_csv(folder / 'images.csv')}
    assert parts['old/v.png'] == 'evaluation'
    assert f'the 1 of {val}' in said
    assert f'images = \'{tmp_path}/\'' in (folder / 'config.py').read_text()


def test_classes_of_whole_images(made, pictures, tmp_path):
    table = tmp_path / 'train.csv'
    table.write_text('file_name,label\n00.png,cat\n01.png,dog\nmore/15.png,dog\n')
    folder, _ = made(str(table), CLASSIFIER, labeled_images=str(pictures), evaluation=4)
    assert read_json(folder / 'labeled.json') == [
        dict(id='00.png', label=0), dict(id='01.png', label=1), dict(id='more/15.png', label=1)]
    assert len((folder / 'pool.txt').read_text().splitlines()) == 16
    for n, name in enumerate(('owl', 'owl', 'emu')):
        picture(tmp_path / 'known' / name / f'{n}.png', 200 + n)
    shutil.rmtree(folder)
    folder, _ = made(str(tmp_path / 'known'), CLASSIFIER, evaluation=4)
    assert read_json(folder / 'labeled.json') == [
        dict(id='known/emu/2.png', label=0), dict(id='known/owl/0.png', label=1), dict(id='known/owl/1.png', label=1)]


def test_classes_in_another_order_are_explained(made, pictures):
    path = coco_of(['00.png', '01.png'], pictures / 'train.json')
    folder, said = made(path, classes=['cat', 'dog'], evaluation=4)
    assert [box['category_id'] for box in read_json(folder / 'labeled.json')['annotations']] == [2, 1]
    assert 'that of --classes is taken, and labels are matched by name' in said


RENAMED = {
    'Roboflow': ('roboflow', [f'{n:02d}_png.rf.{n:032x}.jpg' for n in (0, 1, 15)]),
    'Label Studio': ('label-studio', [f'images/{n:08x}-{n:02d}.png' for n in (0, 1, 15)]),
    'another machine': ('suffix', [f'C:\\pics\\{name}' for name in ('00.png', '01.png', 'more\\15.png')]),
}


@pytest.mark.parametrize('case', RENAMED)
def test_labels_of_a_renamed_export_are_refused_with_the_line_that_takes_them_and_taken_by_it(made, pictures, tmp_path,
                                                                                             case):
    rule, names = RENAMED[case]
    labeled = coco_of(names, tmp_path / 'train.json')
    with pytest.raises(InputError, match=f"3 of 3 labeled images are not there: .*; the nearest is '.*00.png'.*"
                                         f'`--match {rule}` takes 3 of the 3'):
        made(labeled, evaluation=4, labeled_images=str(pictures))
    folder, said = made(labeled, evaluation=4, match=(MatchRule(rule),))
    content = read_json(folder / 'labeled.json')
    assert [image['file_name'] for image in content['images']] == ['00.png', '01.png', 'more/15.png']
    assert [box['category_id'] for box in content['annotations']] == [1, 2, 1]
    assert f"3 names taken by the rule {rule} ({names[0]!r} is '00.png', " in said


def test_folders_that_a_file_of_labels_leaves_out_are_said(made, pictures):
    folder, said = made(coco_of(['00.png', '15.png'], pictures / 'train.json'), evaluation=4)
    assert names_in(folder / 'labeled.json') == ['00.png', 'more/15.png']
    assert "1 name taken although folders are left out ('15.png' is 'more/15.png')" in said


@pytest.mark.parametrize(('names', 'how', 'message'), [
    (['00.png', 'none.png'], {}, r"1 of 2 labeled images are not there: 'none.png' \(looked in .*\)\. Name .*"
     '--labeled-images'),
    (['00.png'], dict(classes=['cow', 'cat']), "labels of 'dog', which are not among the classes cow, cat"),
    (['00.png', './00.png'], {}, "'./00.png' stands twice"),
    ([], {}, 'has no label at all in 0 images'),
    ([f'{n:02d}.png' for n in range(15)] + [f'more/{n}.png' for n in range(15, 20)], dict(val='val.json'),
     'All 18 images of the pool are labeled already')])
def test_what_does_not_fit_is_refused(made, pictures, names, how, message):
    path = coco_of(names, pictures / 'train.json')
    if 'val' in how:
        how = dict(val=coco_of(['18.png', '19.png'], pictures / 'more' / how['val']))
    with pytest.raises(InputError, match=message):
        made(path, **how)


def test_labels_of_a_class_that_their_file_does_not_name_are_refused(made, pictures):
    fault = r'category_id is not in its "categories" \(annotations\[1\] \(id 1\) on 01.png: 1\)'
    with pytest.raises(InputError, match=fault):
        made(coco_of(['00.png', '01.png'], pictures / 'train.json', classes=['dog']))


def test_new_images_for_evaluation_do_not_look_like_labeled_ones(made, pictures):
    labeled = [f'{n:02d}.png' for n in range(6)]
    for n in range(6):
        picture(pictures / f'near_{n:02d}.jpg', n)
    folder, _ = made(coco_of(labeled, pictures / 'train.json'), evaluation=14)
    assert names_in(folder / 'labeled.json') == labeled


def test_labels_of_too_few_images_to_learn_from_are_refused(made, pictures):
    train, val = (coco_of(['00.png', '01.png'], pictures / f'{name}.json') for name in ('train', 'val'))
    with pytest.raises(InputError, match='0 of its 2 labeled images can be learned from, expected at least 2'):
        made(train, val=val)
    with pytest.raises(InputError, match='1 of its 1 labeled images'):
        made(coco_of(['00.png'], pictures / 'train.json'), evaluation=4)


def test_ids_that_are_text_do_not_read_like_new_ones(made, pictures):
    listed = [dict(id=str(n), file_name=f'{n:02d}.png', width=64, height=48) for n in range(1, 15)]
    (pictures / 'all.json').write_text(json.dumps(dict(images=listed, annotations=[], categories=[])))
    labeled = coco_of(['00.png', 'more/15.png'], pictures / 'train.json')
    folder, _ = made(labeled, images=pictures / 'all.json', evaluation=4)
    texts = {str(image['id']) for image in read_json(folder / 'pool.json')['images']}
    assert len(texts) == len(names_in(folder / 'pool.json')) == 12
    assert {'15', '16'} <= texts


def test_hidden_folders_are_no_classes(made, pictures, tmp_path):
    for n, name in enumerate(('owl', 'emu', '.ipynb_checkpoints')):
        picture(tmp_path / 'known' / name / f'{n}.png', 200 + n)
    folder, _ = made(str(tmp_path / 'known'), CLASSIFIER, evaluation=4)
    assert read_json(folder / 'labeled.json') == [
        dict(id='known/emu/1.png', label=0), dict(id='known/owl/0.png', label=1)]


def test_an_empty_folder_is_named(made, pictures, tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(InputError, match='No image below .*empty.*It holds no file at all'):
        made(coco_of(['00.png'], pictures / 'train.json'), images=tmp_path / 'empty')


def spoiled(path, change, every=1):
    """Change every nth annotation of a file."""
    content = read_json(path)
    for annotation in content['annotations'][::every]:
        annotation.update(change)
    write_json(path, content)
    return path


@pytest.mark.parametrize('option', ['labeled', 'val'])
@pytest.mark.parametrize(('change', 'message'), [
    (dict(bbox=[40, 30, 60, 45]), r'look like corners \[x1, y1, x2, y2\]'),
    (dict(bbox=[0.1, 0.2, 0.3, 0.4]), 'look like shares'),
    (dict(bbox=[9, 9, -5, -5]), 'not above 0'),
    (dict(iscrowd=1), r'are crowds \(iscrowd\)'),
])
def test_boxes_that_are_none_are_refused(made, pictures, option, change, message):
    train = coco_of([f'{n:02d}.png' for n in range(6)], pictures / 'train.json')
    val = coco_of([f'{n:02d}.png' for n in range(6, 12)], pictures / 'val.json')
    bad = spoiled(train if option == 'labeled' else val, change)
    with pytest.raises(InputError, match=message) as e:
        made(train, val=val)
    assert str(e.value).startswith(f'{bad}: ')


def with_nan(path):
    """With NaN as the second box of the file, as Python's json writes it."""
    content = read_json(path)
    content['annotations'][1]['bbox'][0] = float('nan')
    Path(path).write_text(json.dumps(content))
    return path


def test_a_few_boxes_that_are_none_are_left_out_and_said(made, pictures):
    train = spoiled(coco_of([f'{n:02d}.png' for n in range(6)], pictures / 'train.json'), dict(bbox=[1, 1, 0, 5]), 4)
    val = spoiled(coco_of([f'{n:02d}.png' for n in range(6, 12)], pictures / 'val.json'), dict(bbox=[99, 1, 5, 5]), 4)
    train = with_nan(train)
    folder, said = made(train, val=val)
    assert f'{train}: 2 of 6 boxes (33.3 %) have a width or height that is not above 0 and are left out' in said
    assert f'{train}: 1 of 6 boxes (16.7 %) have a number that is NaN or infinite and are left out' in said
    assert f'{val}: 2 of 6 boxes (33.3 %) lie wholly outside their image and are left out' in said
    for name in ('labeled.json', 'evaluation/annotations.json'):
        annotations = read_json(folder / name)['annotations']
        assert [box['id'] for box in annotations] == list(range(1, 4 if name == 'labeled.json' else 5))
        assert all(box['bbox'] == [1, 2, 10, 12] for box in annotations)
