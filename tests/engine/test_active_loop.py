"""The whole loop with real tiny models: other configs, what it cannot see, and how it ends."""

import json

import pytest
import torch
from mmengine.runner import CheckpointLoader

from mmal.fileio.text import read_csv, read_json
from tests.zoo_configs import config

pytestmark = pytest.mark.usefixtures('no_drawing')
RANDOM = dict(max_epochs=1, sampler=dict(type='mmal.RandomSampler'))


def test_iterations_a_repeated_dataset_and_averaged_weights(make_cfg, run):
    """What other mmdet configs use: IterBasedTrainLoop, RepeatDataset, EMAHook, no test set."""
    cfg = make_cfg(rounds=2)
    cfg.train_cfg.pop('max_epochs')
    cfg.train_cfg.update(max_iters=5, val_interval=100)
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=cfg.train_dataloader.dataset)
    cfg.param_scheduler, cfg.log_processor.by_epoch = [dict(type='LinearLR', start_factor=0.1, by_epoch=False)], False
    cfg.default_hooks.checkpoint.update(by_epoch=False, max_keep_ckpts=1)
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
    for key in ('test_dataloader', 'test_evaluator', 'test_cfg'):
        cfg.pop(key)
    work_dir = run(cfg)
    assert len(read_json(work_dir / 'round_00' / 'selected.json')) == 3
    assert len(read_json(work_dir / 'curve.json')) == 2
    ours, hosts = (CheckpointLoader.load_checkpoint(str(work_dir / 'round_00' / name))
                   for name in ('checkpoint.pth', 'iter_5.pth'))
    key = 'bbox_head.conv_cls.weight'
    assert torch.equal(ours['state_dict'][key], hosts['state_dict'][key]), 'the averaged weights are the model'
    assert not torch.equal(ours['state_dict'][key], ours['ema_state_dict'][f'module.{key}'])


def test_a_run_ends_where_only_copies_are_left(make_cfg, run, dataset):
    for n in range(9, 15):
        (dataset / f'set_{n:03d}.png').write_bytes((dataset / f'set_{n - 8:03d}.png').read_bytes())
    work_dir = run(make_cfg(**RANDOM, rounds=4, initial=6, query=3))
    assert [len(read_json(work_dir / f'round_{n:02d}' / 'selected.json')) for n in range(2)] == [2, 0]
    assert not (work_dir / 'round_02').exists()
    assert len(read_json(work_dir / 'round_01' / 'copies.json')['left_out']) == 6


def falsify(dataset, keep, how):
    """Strip or falsify the annotations of every image that is not in ``keep``."""
    data = read_json(dataset / 'train.json')
    if how == 'strip':
        data['annotations'] = [a for a in data['annotations'] if a['image_id'] in keep]
    else:
        for a in data['annotations']:
            if a['image_id'] not in keep:
                a.update(bbox=[1, 1, 5, 5], area=25, category_id=3 - a['category_id'])
    (dataset / 'train.json').write_text(json.dumps(data))


def test_ground_truth_of_unlabeled_images_is_never_reached(make_cfg, run, dataset, tmp_path):
    honest = run(make_cfg(tmp_path / 'honest', max_epochs=1))
    truth = (dataset / 'train.json').read_text()
    for how in ('strip', 'falsify'):
        falsify(dataset, {i['id'] for i in read_json(honest / 'initial.json')['images']}, how)
        other = run(make_cfg(tmp_path / how, max_epochs=1))
        assert read_json(honest / 'round_00' / 'selected.json') == read_json(other / 'round_00' / 'selected.json'), how
        assert read_csv(honest / 'round_00' / 'scores.csv') == read_csv(other / 'round_00' / 'scores.csv'), how
        (dataset / 'train.json').write_text(truth)


def test_a_pool_used_up_ends_the_run_early(make_cfg, run):
    work_dir = run(make_cfg(initial=10, query=3, rounds=9, **RANDOM))
    curve = read_json(work_dir / 'curve.json')
    assert [p['images'] for p in curve] == [10, 13, 14]
    assert not (work_dir / 'round_02' / 'scores.csv').exists(), 'nothing is left to score'
    assert 'The pool is used up after round 2.' in '\n'.join(p.read_text() for p in work_dir.glob('2*/*.log'))


def test_a_run_stops_at_its_target_and_goes_on_with_another(make_cfg, run, tmp_path):
    cfg = make_cfg(stop=dict(target=-1), **RANDOM)
    work_dir = run(cfg)
    log = '\n'.join(p.read_text() for p in work_dir.glob('2*/*.log'))
    assert 'Stopped early: coco/bbox_mAP is' in log
    assert len(read_json(work_dir / 'curve.json')) == 1, 'the model that reached it is on the curve'
    assert not (work_dir / 'round_00' / 'selected.json').exists(), 'nothing more is bought'
    again = make_cfg(stop=dict(target=2, budget=9), **RANDOM)
    again.resume = True
    run(again)
    assert [p['images'] for p in read_json(work_dir / 'curve.json')] == [6, 9]
    assert not (work_dir / 'round_01' / 'selected.json').exists()


def test_classification_runs_resumes_and_trains_on_what_was_labeled(run, tmp_path):
    cfg = config('resnet_digits_isal.py')
    cfg.train_cfg.update(initial=20, query=10, rounds=2, max_iters=4, val_interval=4)
    cfg.train_cfg.sampler.max_cosine = None  # near-copies are ranked last
    cfg.param_scheduler = [dict(type='ConstantLR', factor=1.0)]
    cfg.work_dir, cfg.launcher, cfg.visualizer.name = str(tmp_path / 'run'), 'none', str(tmp_path)
    work_dir = run(cfg)
    curve, labeled = read_json(work_dir / 'curve.json'), read_json(work_dir / 'round_00' / 'labeled.json')
    assert [(p['images'], p['boxes']) for p in curve] == [(20, 20), (30, 30)]
    assert 'accuracy/top1' in curve[0]['metrics']
    assert len(labeled) == 30
    assert set(labeled[0]) == {'id', 'label'}
    assert len({e['id'] for e in labeled}) == 30
    values = [float(row['influence']) for row in read_csv(work_dir / 'round_00' / 'scores.csv')]
    assert len(values) == 980
    assert values == sorted(values)
    cfg.resume = True
    cfg.train_cfg.rounds = 3
    assert len(read_json(run(cfg) / 'curve.json')) == 3
