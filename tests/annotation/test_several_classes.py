"""Whether an image may have several classes: the model's head says it, the batch keeps it, tools and imports obey."""

from dataclasses import replace

import pytest
from mmengine.config import Config

from mmal.adapters import several_labels
from mmal.annotation.batch import Batch
from mmal.annotation.export import write_batch
from mmal.annotation.formats import label_studio
from mmal.annotation.importer import import_file
from mmal.annotation.label_config import find_config_difference
from mmal.annotation.label_store import LabelStore
from mmal.engine.batches import batch_for_annotators
from mmal.errors import InputError
from tests.annotation.annotation_fixtures import classes_batch, studio_export, write

ONE, SEVERAL = classes_batch(), replace(classes_batch(), several_labels=True)
TABLE = 'file_name,label\nx/1.png,cat;owl\nx/2.png,dog\n'


def bring(folder, batch, content):
    write_batch(batch, folder)
    return import_file(folder, write(folder.parent / 'f', content))


def chosen(*names):
    return dict(type='choices', value=dict(choices=list(names)))


@pytest.mark.parametrize('content', [TABLE, studio_export(ONE, [[chosen('cat', 'owl')]]),
                                     studio_export(ONE, [[chosen('cat'), chosen('owl')]])],
                         ids=['table', 'one answer', 'two answers'])
def test_two_classes_are_refused_where_the_model_takes_one(tmp_path, content):
    with pytest.raises(InputError, match='x/1.png has 2 classes .cat, owl., and the model takes one an image. Keep'):
        bring(tmp_path / 'b', ONE, content)
    assert LabelStore.read(tmp_path / 'b') == LabelStore()


def test_where_it_takes_several_all_labels_are_lists(tmp_path):
    assert '2 images newly labeled' in bring(tmp_path / 'b', SEVERAL, TABLE)
    assert LabelStore.read(tmp_path / 'b').annotations(SEVERAL) == [dict(id='x/1.png', label=[0, 2]),
                                                                dict(id='x/2.png', label=[1])]


def test_the_batch_keeps_it(tmp_path):
    write_batch(SEVERAL, tmp_path)
    assert Batch.read(tmp_path).several_labels
    assert not classes_batch().several_labels


def test_label_studio_asks_for_one_or_several():
    one, several = label_studio.config(ONE), label_studio.config(SEVERAL)
    assert 'choice="single"' in one
    assert 'choice="multiple"' in several
    assert find_config_difference(one, several) == (
        'expected a tag named \'label\' <Choices toName="image" choice="multiple">,'
        ' found <Choices toName="image" choice="single">')
    assert find_config_difference(one.replace('choice="single"', 'choice="single-radio"'), one) is None
    assert find_config_difference(one.replace(' choice="single"', ''), one) is None


def test_several_guesses_are_shown_where_several_are_likely():
    guesses = [dict(label=2, score=0.9), dict(label=0, score=0.6), dict(label=1, score=0.1)]
    image = replace(ONE.images[0], predictions=guesses)
    regions = [label_studio.tasks(replace(b, images=[image]))[0]['predictions'][0]['result'] for b in (ONE, SEVERAL)]
    assert [[r['value']['choices'] for r in result] for result in regions] == [[['owl']], [['owl', 'cat']]]


@pytest.mark.parametrize(('kind', 'several'), [('LinearClsHead', False), ('MultiLabelLinearClsHead', True),
                                               ('mmpretrain.CSRAClsHead', True), (None, False)])
def test_the_head_says_it(kind, several):
    model = dict(type='ImageClassifier', head=kind and dict(type=kind))
    assert several_labels(Config(dict(default_scope='mmpretrain', model=model))) is several


def test_boxes_have_no_such_question():
    assert not several_labels(Config(dict(default_scope='mmdet', model=dict(head=dict(type='CSRAClsHead')))))


def test_a_run_asks_as_its_model_learns():
    class Data:
        classes, categories, several_labels = ('cat', 'dog'), [], True
        image_root, file_info = staticmethod(lambda: '/data'), staticmethod(lambda i: dict(file_name=i))

    assert batch_for_annotators(Data(), 'initial', ['a.png'], []).several_labels
