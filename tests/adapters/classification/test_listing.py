"""Files of labeled images that a selection is given, as mmpretrain's users have them."""

import json

import pytest
from mmengine.config import Config
from mmpretrain.utils import register_all_modules

from mmal.adapters.classification.listing import ClassificationListing
from mmal.annotation.formats.image_labels import are_lines
from mmal.errors import InputError
from tests.zoo_configs import config


def listing(classes=('cat', 'dog')):
    register_all_modules(init_default_scope=True)
    cfg = Config(dict(config('resnet_digits_isal.py')))
    cfg.model.head.num_classes = 2
    cfg.val_dataloader = dict(dataset=dict(type='CustomDataset', data_root='/nowhere', ann_file='x.txt', pipeline=[]))
    cfg.test_dataloader = cfg.train_dataloader = cfg.val_dataloader
    made = ClassificationListing(cfg)
    made.classes = tuple(classes)
    return made


@pytest.fixture
def read(tmp_path):
    for name in ('a.jpg', 'b.jpg'):
        (tmp_path / name).write_bytes(b'x')

    def go(content, classes=('cat', 'dog')):
        path = tmp_path / 'labels.json'
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        labeled = listing(classes).labeled_file(path, tmp_path)
        return [(image.id, image.labels[0]['label']) for image in labeled.images]

    return go


def data_list(*labels, classes=None):
    metainfo = {} if classes is None else dict(classes=classes)
    entries = [dict(img_path=f'{name}.jpg', gt_label=label) for name, label in zip('ab', labels, strict=False)]
    return dict(metainfo=metainfo, data_list=entries)


@pytest.mark.parametrize('content', [
    [dict(id='a.jpg', label='dog'), dict(id='b.jpg', label=0)], 'file_name,label\na.jpg,dog\n,\nb.jpg,cat\n',
    'File Name;Label\na.jpg;dog\nb.jpg;cat\n', 'a.jpg dog\n\nb.jpg 0\n', data_list(1, 0),
    [dict(id='a.jpg', label='1'), dict(id='b.jpg', label='0')], dict(data_list(1, 0), metainfo=dict(classes=7)),
    data_list(0, 1, classes=['dog', 'cat']), data_list('dog', 'cat')],
    ids=['id and label', 'table', 'table of Excel', 'lines', 'list of mmengine', 'indices as text',
         'classes that are none', 'with its own order', 'with names'])
def test_every_kind_of_file_is_read(read, content):
    assert read(content) == [('a.jpg', 1), ('b.jpg', 0)]


@pytest.mark.parametrize('content', ['a.jpg 1\nb.jpg 0', [dict(id='a.jpg', label=1), dict(id='b.jpg', label=0)]])
def test_indices_are_enough_where_classes_have_no_names(read, content):
    assert read(content, classes=()) == [('a.jpg', 1), ('b.jpg', 0)]


@pytest.mark.parametrize(('content', 'message'), [
    ([dict(id=5, label=0)], 'expected the path of the image as its id, found 5'),
    ([dict(id='a.jpg', label=7)], 'label 7 is no index of the 2 classes'),
    ('a.jpg horse', r"line 1 .'a.jpg'.: class 'horse' is none of the 2 of the config .cat, dog."),
    ([dict(id='a.jpg', label=['cat', 'dog'])], 'are 2 classes, and the model takes one an image'),
    ('0 0.5 0.5 0.1 0.2', "is YOLO's text of one image")])
def test_what_cannot_be_used_is_refused(read, content, message):
    with pytest.raises(InputError, match=message):
        read(content)


@pytest.mark.parametrize(('text', 'expected'), [
    ('a,b.jpg cat', True), ('my photo.jpg 0', True), ('a.jpg,cat', False), ('my photo.jpg,cat', False),
    ('file_name; label', False), ('File Name , Label', False), ('file_name\tlabel', False), ('', False),
    ('word', False)])
def test_lines_of_path_and_class_are_told_from_tables(text, expected):
    assert are_lines(text) is expected
