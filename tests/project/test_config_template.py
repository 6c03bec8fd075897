"""The config that is written, read by mmengine."""

import pytest
from mmengine.config import Config

from mmal.adapters.dataset_config import leaf_dataset
from mmal.engine.cold_start import DEFAULT_SAMPLER
from mmal.project.base_config import BaseConfig
from mmal.project.config_template import config_text
from mmal.project.settings import Numbers
from tests.zoo_configs import ROOT

CLASSES = ["rock 'n' roll", 'β']


@pytest.fixture
def written(tmp_path):
    def go(base, cold_start='random', classes=CLASSES, initial=10):
        """What is read of the written config, and the config it inherits."""
        base = BaseConfig(base)
        text = config_text(base, '/pics/ä b', classes, 100, Numbers(initial, 5, 3, cold_start, 7))
        (tmp_path / 'config.py').write_text(text, encoding='utf-8')
        assert max(map(len, text.splitlines())) <= 120
        return Config.fromfile(tmp_path / 'config.py'), base

    return go


def keys(part, name):
    if isinstance(part, dict):
        return [v for k, v in part.items() if k == name] + [x for v in part.values() for x in keys(v, name)]
    return [x for v in part for x in keys(v, name)] if isinstance(part, (list, tuple)) else []


@pytest.mark.parametrize(('base', 'heads'), [
    ('fcos/fcos_r50-caffe_fpn_gn-head_1x_coco', 1), ('yolox/yolox_s_8xb8-300e_coco', 1),
    ('cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco', 3), ('pascal_voc/faster-rcnn_r50_fpn_1x_voc0712', 1),
    ('rtmdet/rtmdet_tiny_8xb32-300e_coco', 1)])
def test_detectors(written, tmp_path, base, heads):
    cfg, base = written(f'mmdet::{base}.py')
    old = base.cfg
    assert keys(cfg.model, 'num_classes') == [2] * heads
    loop = dict(cfg.train_cfg)
    assert loop.pop('sampler').type == 'mmal.InfluenceSampler'
    assert loop.pop('oracle').type == 'mmal.HumanOracle'
    assert loop == dict(type='mmal.ActiveLoop', initial=10, query=5, rounds=3, cold_start='random',
                        max_epochs=old.train_cfg.max_epochs)
    assert keys(cfg.train_dataloader, 'ann_file') == [f'{tmp_path}/pool.json']
    assert keys(cfg.train_dataloader, 'data_prefix') == [dict(img='/pics/ä b/')]
    assert keys(cfg.train_dataloader, 'classes') == keys(cfg.test_dataloader, 'classes') == [tuple(CLASSES)]
    assert keys(cfg.test_dataloader, 'ann_file') == [cfg.test_evaluator.ann_file]
    assert cfg.test_evaluator.ann_file == f'{tmp_path}/evaluation/annotations.json'
    assert (cfg.test_evaluator.type, cfg.val_dataloader, cfg.val_cfg, cfg.val_evaluator) == (
        'CocoMetric', None, None, None)
    hooks = [h.type for h in old.get('custom_hooks') or []]
    assert [h.type for h in cfg.custom_hooks] == [*hooks, 'mmal.StestHook']
    assert [s['type'] for s in keys(cfg.train_dataloader, 'pipeline')[-1]] == [
        s['type'] for s in base.train.steps]
    assert (cfg.work_dir, cfg.randomness.seed) == (f'{tmp_path}/run', 7)
    assert '_delete_' not in str(cfg.to_dict())


@pytest.mark.parametrize('base', ['mmpretrain::resnet/resnet18_8xb16_cifar10.py', 'configs/resnet_digits_isal.py',
                                  'mmpretrain::vision_transformer/vit-base-p16_32xb128-mae_in1k.py'])
def test_classifiers(written, tmp_path, base):
    cfg, base = written(base if '::' in base else str(ROOT / base))
    assert set(keys(cfg.model, 'num_classes')) == {2}
    assert cfg.data_preprocessor.num_classes == 2
    assert cfg.train_cfg.type == 'mmal.ActiveLoop'
    assert 'by_epoch' not in cfg.train_cfg
    assert leaf_dataset(cfg.train_dataloader.dataset).ann_file == f'{tmp_path}/pool.txt'
    assert (cfg.test_dataloader.dataset.type, cfg.test_dataloader.dataset.dataset.ann_file) == (
        'mmal.PoolSubset', f'{tmp_path}/evaluation.txt')
    for steps in (leaf_dataset(cfg.train_dataloader.dataset).pipeline, cfg.test_dataloader.dataset.dataset.pipeline):
        assert [s.type for s in steps].count('LoadImageFromFile') == 1
    assert dict(cfg.test_evaluator) == dict(type='Accuracy', topk=(1, ))
    hooks = [h.type for h in base.cfg.get('custom_hooks') or [] if h.type != 'mmal.StestHook']
    assert [h.type for h in cfg.custom_hooks] == [*hooks, 'mmal.StestHook']


def test_a_config_of_ours_gives_its_hook_and_loop_up_and_one_class_is_a_tuple(written):
    cfg, _ = written(str(ROOT / 'configs/fcos_digits_isal.py'), classes=['cell'])
    assert [h.to_dict() for h in cfg.custom_hooks] == [dict(type='mmal.StestHook', reference='holdout')]
    assert (cfg.classes, cfg.model.bbox_head.num_classes, cfg.train_cfg.max_epochs) == (('cell', ), 1, 30)


@pytest.mark.parametrize('left', [True, False], ids=['None', 'absent'])
def test_a_base_with_only_a_validation_set(written, tmp_path, left):
    base = Config.fromfile(ROOT / 'configs/fcos_digits_isal.py')
    for key in ('test_dataloader', 'test_cfg', 'test_evaluator'):
        base[key] = None
        if not left:
            base.pop(key)
    base.dump(tmp_path / 'base.py')
    cfg, _ = written(str(tmp_path / 'base.py'))
    assert cfg.test_dataloader.batch_size == base.val_dataloader.batch_size
    assert cfg.test_dataloader.dataset.ann_file == f'{tmp_path}/evaluation/annotations.json'
    assert (cfg.test_evaluator.type, cfg.test_cfg) == ('CocoMetric', dict())
    assert '_delete_' not in str(cfg.to_dict())


@pytest.mark.parametrize(('name', 'sampler'), [
    ('coreset', dict(type='mmal.CoresetSampler', layers=['backbone'])), ('herding', DEFAULT_SAMPLER)])
def test_a_cold_start_by_a_sampler(written, name, sampler):
    cfg, _ = written(str(ROOT / 'configs/fcos_digits_isal.py'), name)
    assert cfg.train_cfg.cold_start.to_dict() == sampler


def test_a_moved_project_finds_its_files(written, tmp_path):
    written(str(ROOT / 'configs/fcos_digits_isal.py'))
    (tmp_path / 'new place').mkdir()
    (tmp_path / 'config.py').rename(tmp_path / 'new place' / 'config.py')
    cfg = Config.fromfile(tmp_path / 'new place' / 'config.py')
    dataset = leaf_dataset(cfg.train_dataloader.dataset)
    assert (dataset.ann_file, dataset.data_prefix.img) == (f'{tmp_path}/new place/pool.json', '/pics/ä b/')


@pytest.mark.parametrize(('base', 'initial', 'wrappers', 'times'), [
    ('mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco', 60, ['RepeatDataset'], 6),  # 3 warm-ups are more than 1200
    ('mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco', 400, [], None),
    ('mmdet::yolox/yolox_s_8xb8-300e_coco', 60, ['MultiImageMixDataset'], None),  # 300 epochs are enough
    ('mmdet::yolox/yolox_s_8xb8-300e_coco', 20, ['MultiImageMixDataset', 'RepeatDataset'], 2),
    ('mmdet::pascal_voc/faster-rcnn_r50_fpn_1x_voc0712', 60, ['RepeatDataset'], 3),  # its own
    ('mmpretrain::resnet/resnet18_8xb32_in1k', 60, ['RepeatDataset'], 8)])
def test_few_images_are_repeated_so_that_the_first_training_is_no_mere_warm_up(written, base, initial, wrappers, times):
    cfg, _ = written(f'{base}.py', initial=initial)
    dataset, found = cfg.train_dataloader.dataset, []
    while 'dataset' in dataset:
        found, dataset = [*found, dataset], dataset.dataset
    assert [d.type for d in found] == wrappers
    assert [d.times for d in found if 'times' in d] == ([times] if times else [])
    assert '_delete_' not in str(cfg.to_dict())
