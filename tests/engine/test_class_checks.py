"""Model, datasets and metrics must be made for the classes of the pool; the message has the line to write."""

import functools
import re

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmengine.utils import get_installed_path

from mmal.engine.class_checks import check_dataset_classes, check_metric_classes, check_model_classes
from mmal.engine.dry_run import dry_run
from mmal.errors import InputError
from mmal.project.base_config import BaseConfig
from mmal.project.config_template import _num_classes
from tests.zoo_configs import config

CLASSES = ('cat', 'dog', 'cow')

DETECTORS = {
    'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py': 'dict(bbox_head=dict(num_classes=3))',
    'retinanet/retinanet_r50_fpn_1x_coco.py': 'dict(bbox_head=dict(num_classes=3))',
    'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py': 'dict(roi_head=dict(bbox_head=dict(num_classes=3)))',
    'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py':
        'dict(roi_head=dict(bbox_head=dict(num_classes=3), mask_head=dict(num_classes=3)))',
    'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py':
        'dict(roi_head=dict(bbox_head=[dict(h, num_classes=3) for h in _base_.model.roi_head.bbox_head]))',
    'htc/htc_r50_fpn_1x_coco.py':
        'dict(roi_head=dict(bbox_head=[dict(h, num_classes=3) for h in _base_.model.roi_head.bbox_head], '
        'mask_head=[dict(h, num_classes=3) for h in _base_.model.roi_head.mask_head]))',
    'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py':
        'dict(roi_head=dict(bbox_head=[dict(h, num_classes=3) for h in _base_.model.roi_head.bbox_head]))',
    'detr/detr_r50_8xb2-150e_coco.py': 'dict(bbox_head=dict(num_classes=3))',
    'dino/dino-4scale_r50_8xb2-12e_coco.py': 'dict(bbox_head=dict(num_classes=3))',
    'yolox/yolox_s_8xb8-300e_coco.py': 'dict(bbox_head=dict(num_classes=3))',
    'yolo/yolov3_d53_8xb8-320-273e_coco.py': 'dict(bbox_head=dict(num_classes=3))',
    'rtmdet/rtmdet_tiny_8xb32-300e_coco.py': 'dict(bbox_head=dict(num_classes=3))',
    'ssd/ssd300_coco.py': 'dict(bbox_head=dict(num_classes=3))',
    'centernet/centernet-update_r50-caffe_fpn_ms-1x_coco.py': 'dict(bbox_head=dict(num_classes=3))',
}

CLASSIFIERS = {
    'resnet/resnet50_8xb32_in1k.py': 'dict(head=dict(num_classes=3, topk=(1, )))',
    # Mixup and CutMix make vectors of labels.
    'swin_transformer/swin-tiny_16xb64_in1k.py': 'dict(head=dict(num_classes=3)) and '
                                                 'data_preprocessor = dict(num_classes=3)',
    'resnet/resnet50_8xb16_cifar10.py': 'dict(head=dict(num_classes=3))',
    'lenet/lenet5_mnist.py': 'dict(backbone=dict(num_classes=3))',
}


@functools.cache
def zoo_config(package, name):
    return Config.fromfile(f'{get_installed_path(package)}/.mim/configs/{name}')


@functools.cache
def registry(package):
    if package == 'mmdet':
        from mmdet.registry import MODELS
    else:
        from mmpretrain.registry import MODELS
    return MODELS


def build(cfg, package):
    """The model of a config; a detector's without memory for its weights."""
    model_cfg = ConfigDict(cfg.model.to_dict())
    model_cfg.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    with DefaultScope.overwrite_default_scope(package), torch.device('meta' if package == 'mmdet' else 'cpu'):
        return registry(package).build(model_cfg)


def refusal(cfg, package):
    with pytest.raises(InputError) as raised:
        check_model_classes(cfg, build(cfg, package), CLASSES)
    return str(raised.value)


def written(cfg, text):
    """A config that inherits ``cfg`` and has the lines of a message."""
    lines = re.search(r'Write (.*); a checkpoint', text).group(1).split(' and ')
    changes = {}
    for line in lines:
        name, expression = line.split(' = ', 1)
        changes[name] = eval(expression, dict(_base_=cfg))  # noqa: S307  as mmengine does
    return Config(Config._merge_a_into_b(changes, cfg._cfg_dict.to_dict()))


@pytest.mark.parametrize('name', DETECTORS)
def test_a_detector_for_other_classes_is_refused_with_the_line_that_mends_it(name):
    cfg = zoo_config('mmdet', name)
    text = refusal(cfg, 'mmdet')
    assert f'Write model = {DETECTORS[name]}; a checkpoint' in text
    assert 'than the datasets have: 3, cat, dog, cow.' in text
    mended = written(cfg, text)
    check_model_classes(mended, build(mended, 'mmdet'), CLASSES)


@pytest.mark.parametrize('name', CLASSIFIERS)
def test_a_classifier_for_other_classes_is_refused_with_the_lines_that_mend_it(name):
    cfg = zoo_config('mmpretrain', name)
    text = refusal(cfg, 'mmpretrain')
    assert f'Write model = {CLASSIFIERS[name]}; a checkpoint' in text
    mended = written(cfg, text)
    check_model_classes(mended, build(mended, 'mmpretrain'), CLASSES)


@pytest.mark.parametrize('head', [
    dict(type='StackedLinearClsHead', num_classes=7, in_channels=8, mid_channels=[4]),
    dict(type='MultiLabelLinearClsHead', num_classes=7, in_channels=8),
    dict(type='LinearClsHead', num_classes=7, in_channels=8)])
def test_every_kind_of_head_is_asked(head):
    model = dict(type='ImageClassifier', backbone=dict(type='ResNet_CIFAR', depth=18), head=head)
    cfg = Config(dict(model=model, data_preprocessor=dict(num_classes=3)))
    assert 'Write model = dict(head=dict(num_classes=3)); a checkpoint' in refusal(cfg, 'mmpretrain')


def test_a_number_that_the_config_leaves_to_a_default_is_found_in_the_model():
    cfg = Config(zoo_config('mmdet', 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py').to_dict())
    cfg.model.roi_head.bbox_head.pop('num_classes')
    text = refusal(cfg, 'mmdet')
    assert '(num_classes: roi_head.bbox_head 80)' in text
    assert 'Write model = dict(roi_head=dict(bbox_head=dict(num_classes=3)));' in text


@pytest.mark.parametrize(('preprocessor', 'refused'), [
    (dict(num_classes=7), False), (dict(num_classes=7, to_onehot=True), True),
    (dict(num_classes=7, batch_augments=dict(augments=[dict(type='Mixup', alpha=0.8)])), True)])
def test_a_data_preprocessor_is_asked_where_it_makes_vectors_of_labels(preprocessor, refused):
    head = dict(type='LinearClsHead', num_classes=3, in_channels=8)
    model = dict(type='ImageClassifier', backbone=dict(type='ResNet_CIFAR', depth=18), head=head)
    cfg = Config(dict(model=model, data_preprocessor=dict(type='ClsDataPreprocessor', **preprocessor)))
    if refused:
        assert ' Write data_preprocessor = dict(num_classes=3);' in refusal(cfg, 'mmpretrain')
    else:
        check_model_classes(cfg, build(cfg, 'mmpretrain'), CLASSES)


def test_only_the_heads_that_are_wrong_are_named():
    cfg = Config(zoo_config('mmdet', 'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py').to_dict())
    for number in (0, 2):
        cfg.model.roi_head.bbox_head[number].num_classes = 3
    heads = '_base_.model.roi_head.bbox_head'
    assert f'bbox_head=[{heads}[0], dict({heads}[1], num_classes=3), {heads}[2]]' in refusal(cfg, 'mmdet')


def test_a_teacher_must_know_the_same_classes():
    class Detector(torch.nn.Module):
        def __setattr__(self, name, value):  # as mmdet hides it
            object.__setattr__(self, name, value) if name == 'teacher_model' else super().__setattr__(name, value)

    def part(number):
        module = torch.nn.Module()
        module.bbox_head = torch.nn.Identity()
        module.bbox_head.num_classes = number
        return module

    model = Detector()
    model.bbox_head, model.teacher_model = part(3).bbox_head, part(80)
    cfg = Config(dict(model=dict(bbox_head=dict(num_classes=3), teacher_config='gfl.py')))
    with pytest.raises(InputError, match='teacher_model.bbox_head 80.* trained on them in model.teacher_config'):
        check_model_classes(cfg, model, CLASSES)
    model.teacher_model = part(3)
    check_model_classes(cfg, model, CLASSES)


def test_parts_with_classes_of_their_own_are_passed_over():
    model = torch.nn.Module()
    for name, number in (('rpn_head', 1), ('backbone', -1), ('bbox_head', 3)):
        model.add_module(name, torch.nn.Identity())
        model.get_submodule(name).num_classes = number
    check_model_classes(Config(dict(model={})), model, CLASSES)
    check_model_classes(Config(dict(model={})), model, ())


def test_an_accuracy_over_more_classes_than_there_are_is_refused():
    cfg = Config(dict(test_evaluator=dict(type='Accuracy', topk=(1, 5)), val_evaluator=None))
    with pytest.raises(InputError, match=r'5 best classes of 3. Write test_evaluator = dict\(topk=\(1, \)\)'):
        check_metric_classes(cfg, CLASSES)
    check_metric_classes(cfg, tuple('abcde'))
    several = Config(dict(val_evaluator=[dict(type='SingleLabelMetric'), dict(type='Accuracy', topk=4)]))
    with pytest.raises(InputError, match=r"in val_evaluator: dict\(type='Accuracy', topk=\(1, \)\)"):
        check_metric_classes(several, CLASSES)
    head = Config(dict(model=dict(head=dict(cal_acc=True, topk=(1, 5)))))
    with pytest.raises(InputError, match=r'Write model = dict\(head=dict\(topk=\(1, \)\)\)'):
        check_model_classes(head, torch.nn.Identity(), CLASSES)


@pytest.mark.parametrize(('dataset', 'message'), [
    (dict(type='CocoDataset'), 'no metainfo.classes, so that it takes the 80 classes of CocoDataset .person, bicycle'),
    (dict(type='VOCDataset'), 'takes the 20 classes of VOCDataset'),
    (dict(type='CocoDataset', metainfo=dict(classes=('dog', 'cat', 'cow'))), 'in another order.*: dog, cat, cow;'),
    (dict(type='CocoDataset', metainfo=dict(classes=('cat', 'dog'))), 'other classes than the pool'),
    (dict(type='ConcatDataset', datasets=[dict(type='CocoDataset')]), 'takes the 80 classes'),
    (dict(type='RepeatDataset', times=2,
          dataset=dict(type='CocoDataset', metainfo=dict(classes=['cat', 'cow', 'dog']))), 'in another order')])
@pytest.mark.parametrize('key', ['val_dataloader', 'test_dataloader'])
def test_datasets_that_number_the_classes_otherwise_are_refused(key, dataset, message):
    cfg = Config({key: dict(dataset=dataset)})
    line = re.escape(f"Write {key} = dict(dataset=dict(metainfo=dict(classes=('cat', 'dog', 'cow')))).")
    with DefaultScope.overwrite_default_scope('mmdet'), pytest.raises(InputError, match=f'{key}: .*{message}.*{line}'):
        check_dataset_classes(cfg, CLASSES)


@pytest.mark.parametrize('dataset', [
    dict(type='CocoDataset', metainfo=dict(classes=list(CLASSES))), dict(type='CustomDataset'),
    dict(type='CIFAR10', classes=CLASSES), dict(type='CIFAR10', classes='classes.txt'),
    dict(type='CocoDataset', metainfo=dict(classes='classes.txt'))])
def test_datasets_of_the_same_classes_pass(dataset):
    scope = 'mmdet' if dataset['type'] == 'CocoDataset' else 'mmpretrain'
    with DefaultScope.overwrite_default_scope(scope):
        check_dataset_classes(Config(dict(val_dataloader=dict(dataset=dataset), test_dataloader=None)), CLASSES)


def change_head(cfg, number):
    cfg.model.bbox_head.num_classes = number


@pytest.mark.parametrize(('change', 'problem'), [
    (lambda cfg: change_head(cfg, 1), 'model = dict(bbox_head=dict(num_classes=2))'),
    (lambda cfg: change_head(cfg, 80), 'model = dict(bbox_head=dict(num_classes=2))'),
    (lambda cfg: cfg.test_dataloader.dataset.pop('metainfo'), 'test_dataloader: its dataset has no metainfo.classes'),
    (lambda cfg: cfg.val_dataloader.dataset.metainfo.update(classes=('square', 'disc')),
     'val_dataloader: its dataset has the classes of the pool in another order')])
def test_a_dry_run_says_so_and_not_that_the_input_is_complete(make_cfg, change, problem):
    cfg = make_cfg()
    change(cfg)
    text, problems = dry_run(cfg)
    assert sum(problem in line for line in problems) == 1
    assert 'complete' not in text


INITIATED = [name for name in DETECTORS if not name.startswith(('mask_rcnn', 'htc'))]


@pytest.mark.parametrize(('package', 'name'), [
    *(('mmdet', name) for name in INITIATED), *(('mmpretrain', name) for name in CLASSIFIERS),
    ('mmpretrain', 'csra/resnet101-csra_1xb16_voc07-448px.py')])
def test_a_new_project_has_the_number_of_classes_in_every_head(package, name):
    base = BaseConfig(f'{package}::{name}')
    changes = {}
    for part, expression in _num_classes(base, 3).items():
        changes[part] = eval(expression, dict(_base_=base.cfg, classes=CLASSES))  # noqa: S307  as mmengine does
    cfg = Config(Config._merge_a_into_b(changes, base.cfg._cfg_dict.to_dict()))
    check_model_classes(cfg, build(cfg, package), CLASSES)


def test_another_detector_in_the_custom_config_is_refused_with_its_line():
    cfg = config('fcos_custom_isal.py')
    cfg.model = zoo_config('mmdet', 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py').model
    assert 'Write model = dict(roi_head=dict(bbox_head=dict(num_classes=3)));' in refusal(cfg, 'mmdet')
