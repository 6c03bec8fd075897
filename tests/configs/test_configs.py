"""Each config as it ships, planned (--dry-run) on tiny stand-ins in the real formats."""

import json
import os
import pickle

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmal.datasets.svhn import SVHN
from mmal.engine.dry_run import dry_run
from mmal.errors import InputError
from tests.conftest import coco, make_voc
from tests.zoo_configs import ROOT

CONFIGS = sorted(p for pattern in ('*.py', '*/*.py') for p in (ROOT / 'configs').glob(pattern))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.name)
def test_configs_are_short(path):
    assert len(path.read_text().splitlines()) < 40


SMALL = {f'{name}_dataloader.dataset.pipeline.1.scale': (333, 200) for name in ('val', 'test')}
"""Images of a quarter of the width: on a processor the one image of a plan takes seconds at its full size."""


def planned(name, monkeypatch, folder, **options):
    monkeypatch.chdir(folder)
    cfg = Config.fromfile(ROOT / 'configs' / name)
    cfg.launcher, cfg.resume, cfg.work_dir = 'none', False, str(folder / 'work')
    cfg.merge_from_dict(options)
    text, problems = dry_run(cfg)
    assert not (folder / 'work').exists(), 'a plan leaves the work_dir alone'
    return text, problems


@pytest.fixture
def coco_standin(tmp_path):
    from mmdet.datasets import CocoDataset
    root = tmp_path / 'data' / 'coco'
    (root / 'annotations').mkdir(parents=True)
    for part, n, start in (('train2017', 7, 1), ('val2017', 2, 50)):
        (root / part).mkdir()
        content = coco(n, root / part, seed=n, classes=CocoDataset.METAINFO['classes'][:3], start=start,
                       size=(64, 48))
        content['categories'] = [dict(id=i + 1, name=c) for i, c in enumerate(CocoDataset.METAINFO['classes'])]
        (root / 'annotations' / f'instances_{part}.json').write_text(json.dumps(content))
    return tmp_path


def test_coco_plan(coco_standin, monkeypatch):
    small = {'train_cfg.initial': 5, 'train_cfg.query': 1}
    text, problems = planned('fcos_coco_isal.py', monkeypatch, coco_standin, **small)
    assert not problems
    assert 'pool:            7 images, 80 classes; 0 files missing' in text
    assert 'reference set:   val, 2 images' in text
    assert '195925 values in bbox_head.conv_cls.weight' in text
    assert '12 iterations (12 epochs of 1)' in text
    assert '20: 5 images at first, then 1 images a round' in text


def test_a_plan_lists_every_problem(coco_standin, monkeypatch):
    os.remove(next((coco_standin / 'data' / 'coco' / 'train2017').iterdir()))
    (coco_standin / 'data' / 'coco' / 'annotations' / 'instances_val2017.json').unlink()
    text, problems = planned('fcos_coco_isal.py', monkeypatch, coco_standin,
                             **SMALL,
                             **{'train_cfg.initial': 5, 'train_cfg.query': 1})
    assert any('1 of 7 image files of the pool do not exist' in p for p in problems)
    assert any('instances_val2017.json' in p for p in problems)
    assert text.count('PROBLEM') == len(problems)
    assert '1 files missing' in text


@pytest.mark.parametrize(('name', 'reference'), [('fcos_voc2012_isal.py', 'val, 2 images'),
                                                 ('fcos_voc2012_learning_loss.py', 'none needed')])
def test_voc_plan(tmp_path, monkeypatch, name, reference):
    (tmp_path / 'data').mkdir()
    make_voc(tmp_path / 'data' / 'VOCdevkit')
    text, problems = planned(name, monkeypatch, tmp_path, **SMALL,
                             **{'train_cfg.initial': 2, 'train_cfg.query': 1})
    assert not problems
    assert 'pool:            4 images, 20 classes' in text
    assert f'reference set:   {reference}' in text


def test_custom_plan_reads_classes_from_the_data(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv('MMAL_DATA_ROOT', str(dataset))
    text, problems = planned('fcos_custom_isal.py', monkeypatch, tmp_path, **SMALL,
                             **{'train_cfg.initial': 5, 'train_cfg.query': 2})
    assert not problems
    assert 'pool:            14 images, 2 classes' in text
    assert 'evaluation:      4 images' in text
    assert 'reference set:   holdout, 1 images' in text


def test_custom_plan_without_data_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv('MMAL_DATA_ROOT', str(tmp_path / 'nowhere'))
    _, problems = planned('fcos_custom_isal.py', monkeypatch, tmp_path)
    assert any('nowhere/train.json' in p and 'data_root' in p for p in problems)


def test_digits_plan(tmp_path, monkeypatch):
    from mmal.datasets import generate_digit_scenes
    monkeypatch.setattr(generate_digit_scenes, 'SPLITS', dict(train=90, val=5, test=5))
    text, problems = planned('fcos_digits_isal.py', monkeypatch, tmp_path)
    assert not problems
    assert 'pool:            90 images, 10 classes' in text
    assert 'bbox_head.conv_centerness.bias' in text


def test_classification_plan(tmp_path, monkeypatch):
    text, problems = planned('resnet_digits_isal.py', monkeypatch, tmp_path)
    assert not problems
    assert 'pool:            1000 images, 10 classes' in text
    assert '650 values in head.fc.weight, head.fc.bias' in text


def test_pixels_plan(tmp_path, monkeypatch):
    text, problems = planned('pixels_digits_isal.py', monkeypatch, tmp_path)
    assert not problems
    assert '650 values in head.fc.weight, head.fc.bias' in text


def cifar_batch(path, rng, **labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(dict(data=rng.integers(0, 255, (4, 3072), dtype=np.uint8), **labels)))


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """CIFAR-10, CIFAR-100 and SVHN, tiny, in their own formats; checksums are of course others."""
    import mmpretrain.datasets.cifar as cifar
    from scipy.io import savemat
    monkeypatch.setattr(cifar, 'check_md5', lambda *args, **kwargs: True)
    rng, data = np.random.default_rng(0), tmp_path / 'data'
    for name in [f'data_batch_{i}' for i in range(1, 6)] + ['test_batch']:
        cifar_batch(data / 'cifar10' / 'cifar-10-batches-py' / name, rng, labels=[0, 1, 2, 9])
    for name in ('train', 'test'):
        cifar_batch(data / 'cifar100' / 'cifar-100-python' / name, rng, fine_labels=[0, 50, 98, 99])
        (data / 'svhn').mkdir(exist_ok=True)
        savemat(data / 'svhn' / f'{name}_32x32.mat', dict(X=rng.integers(0, 255, (32, 32, 3, 6), dtype=np.uint8),
                                                          y=np.array([[1], [2], [10], [9], [5], [10]], dtype=np.uint8)))
    return tmp_path


ALL_PARAMETERS = 'parameters:      11173962 values'
PICTURES = {
    'resnet18_cifar10_isal.py': ('20 images, 10 classes', 'val, 4 images', ALL_PARAMETERS),
    'resnet18_cifar10_isal_5k.py': ('20 images, 10 classes', 'val, 4 images', ALL_PARAMETERS),
    'resnet18_cifar100_isal.py': ('4 images, 100 classes', 'val, 4 images', 'parameters:      11220132 values'),
    'resnet18_svhn_isal.py': ('6 images, 10 classes', 'val, 6 images', ALL_PARAMETERS),
    'resnet18_cifar10_learning_loss.py': ('20 images', 'none needed', 'LearningLossSampler'),
    'resnet18_cifar10_learning_loss_5k.py': ('20 images', 'none needed', 'LearningLossSampler'),
    'resnet18_cifar100_learning_loss.py': ('4 images', 'none needed', 'LearningLossSampler'),
    'resnet18_svhn_learning_loss.py': ('6 images', 'none needed', 'LearningLossSampler'),
    'ablations/resnet18_cifar10_isal_k2.py': ('20 images', 'val, 4 images', ALL_PARAMETERS),
    'ablations/resnet18_cifar10_isal_k5.py': ('20 images', 'val, 4 images', ALL_PARAMETERS),
    'ablations/resnet18_cifar10_isal_k10.py': ('20 images', 'val, 4 images', ALL_PARAMETERS),
    'ablations/resnet18_cifar10_gradient_similarity.py': ('20 images', 'val, 4', 'GradientSimilaritySampler'),
    'ablations/resnet18_cifar10_isal_v2.py': ('20 images', 'initial, 3 images', ALL_PARAMETERS),
    'ablations/resnet18_cifar10_isal_v3.py': ('20 images', 'labeled, all labeled images', ALL_PARAMETERS),
}


@pytest.mark.parametrize('name', PICTURES)
def test_plans_of_classification(name, pictures, monkeypatch):
    text, problems = planned(name, monkeypatch, pictures, **{'train_cfg.initial': 3, 'train_cfg.query': 1})
    assert not problems
    assert '200 epochs of 1' in text
    for part in PICTURES[name]:
        assert part in text, text


COCO = {'fcos_coco_isal_large.py': '10: 5 images', 'fcos_coco_learning_loss.py': 'LearningLossSampler',
        'fcos_coco_learning_loss_large.py': 'LearningLossSampler',
        'faster_rcnn_coco_isal.py': 'values in rpn_head.rpn_cls.weight'}


@pytest.mark.parametrize('name', COCO)
def test_plans_on_coco(name, coco_standin, monkeypatch):
    text, problems = planned(name, monkeypatch, coco_standin, **SMALL,
                             **{'train_cfg.initial': 5, 'train_cfg.query': 1})
    assert not problems
    assert COCO[name] in text


@pytest.mark.parametrize(('config', 'folder', 'pool', 'classes', 'values'), [
    ('mobilenet_v2_cifar10_frozen.py', 'cifar10_jpeg', 'pool', 10, 12810),
    ('mobilenet_v2_cifar10_lt_frozen.py', 'cifar10_jpeg', 'pool_lt', 10, 12810),
    ('mobilenet_v2_foda_frozen.py', 'foda_crops', 'pool', 31, 39711)])
def test_frozen_features_plan(tmp_path, monkeypatch, config, folder, pool, classes, values):
    folder = tmp_path / 'data' / folder
    for name, n in ((pool, 6), ('val', 2), ('test', 2)):
        for i in range(n):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((32, 32, 3), 20 * i + n, np.uint8)).save(folder / name / f'{i}.png')
        (folder / f'{name}.txt').write_text(''.join(f'{name}/{i}.png {i}\n' for i in range(n)))
    text, problems = planned(config, monkeypatch, tmp_path,
                             **{'train_cfg.initial': 3, 'train_cfg.query': 1, 'model.backbone.init_cfg': None})
    assert not problems
    assert f'6 images, {classes} classes' in text
    assert f'{values} values in head.fc.weight, head.fc.bias' in text


def test_every_config_is_planned_by_a_test():
    source = (ROOT / 'tests' / 'configs' / 'test_configs.py').read_text()
    for path in CONFIGS:
        if path.parent.name in ('configs', 'ablations'):
            assert f"{path.name}'" in source, path


def test_svhn_reads_its_own_format_and_zero_is_ten(pictures):
    dataset = SVHN(str(pictures / 'data' / 'svhn'), 'train', pipeline=[])
    assert [dataset.get_data_info(i)['gt_label'] for i in range(6)] == [1, 2, 0, 9, 5, 0]
    assert dataset.get_data_info(0)['img'].shape == (32, 32, 3)
    with pytest.raises(InputError, match=r'extra_32x32.mat not found'):
        SVHN(str(pictures / 'data' / 'svhn'), 'extra', pipeline=[])
