"""Configs of both libraries, and what is refused."""

import re

import pytest

from mmal.errors import InputError
from mmal.project.base_config import BaseConfig
from tests.zoo_configs import ROOT

FCOS = 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'


def test_task_and_length_are_those_of_the_config():
    detector, classifier = BaseConfig(FCOS), BaseConfig(str(ROOT / 'configs/resnet_digits_isal.py'))
    assert (detector.task, detector.boxes, detector.length) == ('detection', True, dict(max_epochs=12))
    assert (classifier.task, classifier.length) == ('classification', dict(max_iters=150))
    assert (detector.pretrained, classifier.pretrained) == (True, False)
    assert (detector.name, classifier.name) == (FCOS, str(ROOT / 'configs/resnet_digits_isal.py'))


def test_the_dataset_is_found_inside_wrappers():
    yolox = BaseConfig('mmdet::yolox/yolox_s_8xb8-300e_coco.py').train
    assert (yolox.keys, yolox.pipeline) == (['dataset', 'dataset'], '_base_.train_dataloader.dataset.dataset.pipeline')
    voc = BaseConfig('mmdet::pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py').train
    assert voc.keys == ['dataset', 'dataset']  # RepeatDataset stays, ConcatDataset goes
    assert voc.pipeline == '_base_.train_dataloader.dataset.dataset.datasets[0].pipeline'


@pytest.mark.parametrize(('name', 'text', 'message'), [
    ('no.py', None, 'no.py: there is no such file'),
    ('mmdet::fcos/no.py', None, 'mmdet::fcos/no.py'),
    ('c.py', 'a = (', 'cannot be read: SyntaxError'),
    ('c.py', 'with read_base():\n    pass', 'is of the new style'),
    ('c.py', 'a = 1', "expected default_scope 'mmdet' or 'mmpretrain', found None"),
    ('c.py', "default_scope = 'mmdet'", 'has no model'),
    ('c.py', f'_base_ = {FCOS!r}\ntest_dataloader = val_dataloader = None', 'neither a test_dataloader nor'),
    ('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', None, 'learns masks, but people will draw boxes'),
])
def test_what_cannot_be_inherited_is_refused(tmp_path, name, text, message):
    if text:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=re.escape(message)):
        BaseConfig(name if text is None else str(tmp_path / name))


def test_another_task_and_a_config_without_a_length_are_refused(tmp_path):
    with pytest.raises(InputError, match='--task classification, but'):
        BaseConfig(FCOS, 'classification')
    (tmp_path / 'c.py').write_text(f"_base_ = {FCOS!r}\ntrain_cfg = dict(_delete_=True, type='EpochBasedTrainLoop')")
    with pytest.raises(InputError, match='neither max_epochs nor max_iters'):
        BaseConfig(str(tmp_path / 'c.py'))


@pytest.mark.parametrize(('loop', 'refused'), [
    ('MyTrainLoop', True), ('mmdet.MyTrainLoop', True), ('EpochBasedTrainLoop', False),
    ('mmengine.IterBasedTrainLoop', False), ('mmal.ActiveLoop', False)])
def test_a_training_loop_that_rounds_cannot_be_trained_by_is_refused(tmp_path, loop, refused):
    train_cfg = f"train_cfg = dict(_delete_=True, type='{loop}', max_epochs=3)"
    (tmp_path / 'c.py').write_text(f'_base_ = {FCOS!r}\n{train_cfg}')
    if not refused:
        assert BaseConfig(str(tmp_path / 'c.py')).length == dict(max_epochs=3)
        return
    with pytest.raises(InputError, match='is a MyTrainLoop, by which mmal cannot train .* Give .*EpochBasedTrainLoop'):
        BaseConfig(str(tmp_path / 'c.py'))
