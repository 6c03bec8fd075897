"""Each config as it ships, planned (--dry-run) on tiny stand-ins in the real formats."""

import json
import os

import pytest
from mmengine.config import Config

from mmal.plan import plan
from tests.conftest import coco, make_voc
from tests.zoo_configs import ROOT

CONFIGS = sorted((ROOT / 'configs').glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.name)
def test_configs_are_short(path):
    assert len(path.read_text().splitlines()) < 40


def planned(name, monkeypatch, folder, **options):
    monkeypatch.chdir(folder)
    cfg = Config.fromfile(ROOT / 'configs' / name)
    cfg.launcher, cfg.resume, cfg.work_dir = 'none', False, str(folder / 'work')
    cfg.merge_from_dict(options)
    text, problems = plan(cfg)
    assert not (folder / 'work').exists(), 'a plan leaves the work_dir alone'
    return text, problems


@pytest.fixture
def coco_standin(tmp_path):
    from mmdet.datasets import CocoDataset
    root = tmp_path / 'data' / 'coco'
    (root / 'annotations').mkdir(parents=True)
    for part, n, start in (('train2017', 7, 1), ('val2017', 2, 50)):
        (root / part).mkdir()
        content = coco(n, root / part, classes=CocoDataset.METAINFO['classes'][:3], start=start, size=(64, 48))
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
                             **{'train_cfg.initial': 5, 'train_cfg.query': 1})
    assert any('1 of 7 image files of the pool do not exist' in p for p in problems)
    assert any('instances_val2017.json' in p for p in problems)
    assert text.count('PROBLEM') == len(problems)
    assert '1 files missing' in text


def test_the_papers_numbers():
    cfg = Config.fromfile(ROOT / 'configs' / 'fcos_coco_isal.py')
    assert (cfg.train_cfg.initial, cfg.train_cfg.query, cfg.train_cfg.max_epochs) == (5000, 1000, 12)
    assert (cfg.train_dataloader.batch_size, cfg.optim_wrapper.optimizer.lr) == (8, 0.01)
    assert (cfg.optim_wrapper.optimizer.momentum, cfg.optim_wrapper.optimizer.weight_decay) == (0.9, 0.0001)
    assert cfg.param_scheduler[1].milestones == [8, 11]
    assert cfg.custom_hooks[0].reference == 'val'
    cifar = Config.fromfile(ROOT / 'configs' / 'resnet18_cifar10_isal.py')
    solver = cifar.custom_hooks[0].solver
    assert (solver.depth, solver.repeats, cifar.custom_hooks[0].params) == (250, 4, ['*'])
    assert cifar.val_dataloader.dataset.split == 'test'
    voc = Config.fromfile(ROOT / 'configs' / 'fcos_voc2012_isal.py')
    assert (voc.train_cfg.initial, voc.train_cfg.query, voc.train_cfg.rounds) == (500, 500, 10)
    assert voc.model.bbox_head.num_classes == 20


def test_voc_plan(tmp_path, monkeypatch):
    (tmp_path / 'data').mkdir()
    make_voc(tmp_path / 'data' / 'VOCdevkit')
    text, problems = planned('fcos_voc2012_isal.py', monkeypatch, tmp_path,
                             **{'train_cfg.initial': 2, 'train_cfg.query': 1})
    assert not problems
    assert 'pool:            4 images, 20 classes' in text
    assert 'reference set:   val, 2 images' in text


def test_custom_plan_reads_classes_from_the_data(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv('MMAL_DATA_ROOT', str(dataset))
    text, problems = planned('fcos_custom_isal.py', monkeypatch, tmp_path,
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
    from mmal.datasets import digit_scenes
    monkeypatch.setattr(digit_scenes, 'SPLITS', dict(train=90, val=5, test=5))
    text, problems = planned('fcos_digits_isal.py', monkeypatch, tmp_path)
    assert not problems
    assert 'pool:            90 images, 10 classes' in text
    assert 'bbox_head.conv_centerness.bias' in text


def test_classification_plan(tmp_path, monkeypatch):
    text, problems = planned('resnet_digits_isal.py', monkeypatch, tmp_path)
    assert not problems
    assert 'pool:            1000 images, 10 classes' in text
    assert '1290 values in head.fc.weight, head.fc.bias' in text


def test_cifar10_plan(tmp_path, monkeypatch):
    """On tiny stand-ins in CIFAR-10's own format; their checksums are of course others."""
    import pickle

    import mmpretrain.datasets.cifar as cifar
    import numpy as np
    folder = tmp_path / 'data' / 'cifar10' / 'cifar-10-batches-py'
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in [f'data_batch_{i}' for i in range(1, 6)] + ['test_batch']:
        entry = dict(data=rng.integers(0, 255, (4, 3072), dtype=np.uint8), labels=[0, 1, 2, 9])
        (folder / name).write_bytes(pickle.dumps(entry))
    monkeypatch.setattr(cifar, 'check_md5', lambda *args, **kwargs: True)
    text, problems = planned('resnet18_cifar10_isal.py', monkeypatch, tmp_path,
                             **{'train_cfg.initial': 5, 'train_cfg.query': 1})
    assert not problems
    assert 'pool:            20 images, 10 classes' in text
    assert 'reference set:   val, 4 images' in text
    assert '200 epochs of 1' in text
    assert '11173962 values' in text
