"""The whole loop with a real tiny FCOS: what it leaves, resumes from, refuses, and cannot see."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from mmengine.runner import CheckpointLoader

from mmal.engine.phase_runner import PhaseRunner
from mmal.errors import InputError
from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import read_csv, read_json
from mmal.pool.order import shuffled
from mmal.run.layout import PHASES
from tests.zoo_configs import config


def outcome(work_dir, rounds=2):
    """Everything a run decided."""
    return [read_json(work_dir / f'round_{r:02d}' / name) for r in range(rounds)
            for name in ('selected.json', 'labeled.json', 'metrics.json')]


def test_two_rounds_leave_what_the_design_lists(make_cfg, run, dataset):
    work_dir = run(make_cfg())
    truth = read_json(dataset / 'train.json')
    trained_on = read_json(work_dir / 'initial.json')
    for r in range(2):
        folder = work_dir / f'round_{r:02d}'
        assert all((folder / name).exists() for name in PHASES.values())
        selected, rows = read_json(folder / 'selected.json'), read_csv(folder / 'scores.csv')
        labeled, metrics = read_json(folder / 'labeled.json'), read_json(folder / 'metrics.json')
        before = [i['id'] for i in trained_on['images']]
        assert len(before) == 6 + 3 * r == metrics['images']
        assert metrics['boxes'] == len(trained_on['annotations'])
        assert [i['id'] for i in labeled['images']] == before + selected
        assert sorted(a['id'] for a in labeled['annotations']) == sorted(
            a['id'] for a in truth['annotations'] if a['image_id'] in before + selected)
        chosen = read_json(folder / 'chosen.json')['images']
        assert [(e['id'], e['rank']) for e in chosen] == [(i, rank) for rank, i in enumerate(selected)]
        assert [e['score'] for e in chosen] == [float(row['influence']) for row in rows[:len(chosen)]]
        values = [float(row['influence']) for row in rows]
        assert values == sorted(values)
        assert [row['id'] for row in rows if row['selected'] == '1'] == [str(i) for i in selected]
        assert len(rows) == 14 - len(before)
        trained_on = labeled
    curve = read_json(work_dir / 'curve.json')
    assert [(p['round'], p['images']) for p in curve] == [(0, 6), (1, 9)]
    assert set(curve[0]) == {'round', 'images', 'boxes', 'metrics', 'seconds'}
    assert set(curve[0]['seconds']) == set(PHASES)
    assert 'coco/bbox_mAP' in curve[0]['metrics']
    assert len(read_csv(work_dir / 'curve.csv')) == 2
    assert (work_dir / 'curve.png').read_bytes().startswith(b'\x89PNG')
    lines = [line for path in work_dir.glob('*/vis_data/scalars.json') for line in path.read_text().splitlines()]
    scalars = [json.loads(line) for line in lines]
    assert [(s['step'], s['al/images']) for s in scalars if 'al/images' in s] == [(0, 6), (1, 9)]
    assert not any('loss' in s for s in scalars), 'inner training must not write into the outer visualizer'
    assert not read_json(work_dir / 'pool.json')['annotations']
    assert 'Chosen in round 1' in (work_dir / 'report.html').read_text()


def test_resume_after_every_phase_gives_the_same_result(make_cfg, run, tmp_path, monkeypatch):
    straight = outcome(run(make_cfg(tmp_path / 'straight')))
    original = PhaseRunner.run_phase
    work_dir = tmp_path / 'stopped'
    stops = [(r, phase) for r in range(2) for phase in PHASES]
    for stop in stops:

        def stopping(self, phase, run, round_, stop=stop):
            original(self, phase, run, round_)
            if (round_.number, phase.name) == stop:
                raise KeyboardInterrupt

        monkeypatch.setattr(PhaseRunner, 'run_phase', stopping)
        cfg = make_cfg(work_dir)
        cfg.resume = True
        with pytest.raises(KeyboardInterrupt):
            run(cfg)
    monkeypatch.setattr(PhaseRunner, 'run_phase', original)
    cfg = make_cfg(work_dir)
    cfg.resume = True
    assert outcome(run(cfg)) == straight
    cfg = make_cfg(work_dir, rounds=3)  # and more rounds later
    cfg.resume = True
    run(cfg)
    assert len(read_json(work_dir / 'curve.json')) == 3


def test_iterations_a_repeated_dataset_and_averaged_weights(make_cfg, run):
    """What other mmdet configs use: IterBasedTrainLoop, RepeatDataset, EMAHook, no test set."""
    cfg = make_cfg(rounds=1)
    cfg.train_cfg.pop('max_epochs')
    cfg.train_cfg.update(max_iters=5, val_interval=100)
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=cfg.train_dataloader.dataset)
    cfg.param_scheduler, cfg.log_processor.by_epoch = [dict(type='LinearLR', start_factor=0.1, by_epoch=False)], False
    cfg.default_hooks.checkpoint.update(by_epoch=False)
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
    for key in ('test_dataloader', 'test_evaluator', 'test_cfg'):
        cfg.pop(key)
    work_dir = run(cfg)
    assert len(read_json(work_dir / 'round_00' / 'selected.json')) == 3
    assert len(read_json(work_dir / 'curve.json')) == 1
    ours, hosts = (CheckpointLoader.load_checkpoint(str(work_dir / 'round_00' / name))
                   for name in ('checkpoint.pth', 'iter_5.pth'))
    key = 'bbox_head.conv_cls.weight'
    assert torch.equal(ours['state_dict'][key], hosts['state_dict'][key]), 'the averaged weights are the model'
    assert not torch.equal(ours['state_dict'][key], ours['ema_state_dict'][f'module.{key}'])


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


@pytest.mark.parametrize('how', ['strip', 'falsify'])
def test_ground_truth_of_unlabeled_images_is_never_reached(make_cfg, run, dataset, tmp_path, how):
    honest = run(make_cfg(tmp_path / 'honest', rounds=1))
    falsify(dataset, {i['id'] for i in read_json(honest / 'initial.json')['images']}, how)
    other = run(make_cfg(tmp_path / 'other', rounds=1))
    assert read_json(honest / 'round_00' / 'selected.json') == read_json(other / 'round_00' / 'selected.json')
    assert read_csv(honest / 'round_00' / 'scores.csv') == read_csv(other / 'round_00' / 'scores.csv')


def test_choice_is_independent_of_file_order_and_depends_on_the_seed(make_cfg, run, dataset, tmp_path):
    random = dict(sampler=dict(type='mmal.RandomSampler'), rounds=1, max_epochs=1)
    first = run(make_cfg(tmp_path / 'a', **random))
    other_seed = make_cfg(tmp_path / 'b', **random)
    other_seed.randomness = dict(seed=1)
    other = run(other_seed)
    data = read_json(dataset / 'train.json')
    data['images'].reverse()
    (dataset / 'train.json').write_text(json.dumps(data))
    shuffled = run(make_cfg(tmp_path / 'c', **random))

    def choice(work_dir):
        return ([i['id'] for i in read_json(work_dir / 'initial.json')['images']],
                read_json(work_dir / 'round_00' / 'selected.json'))

    assert choice(first) == choice(shuffled)
    assert choice(first) != choice(other)


def test_budget_in_boxes_overshoots_by_at_most_one_image(make_cfg, run):
    work_dir = run(make_cfg(unit='box', query=5, rounds=1))
    boxes = {}
    for a in read_json(work_dir / 'round_00' / 'labeled.json')['annotations']:
        boxes[a['image_id']] = boxes.get(a['image_id'], 0) + 1
    selected = read_json(work_dir / 'round_00' / 'selected.json')
    assert sum(boxes[i] for i in selected[:-1]) < 5 <= sum(boxes[i] for i in selected)
    ranks = [row['id'] for row in read_csv(work_dir / 'round_00' / 'scores.csv')]
    assert [str(i) for i in selected] == ranks[:len(selected)]


def test_a_pool_used_up_ends_the_run_early(make_cfg, run):
    work_dir = run(make_cfg(initial=10, query=3, rounds=9, max_epochs=1))
    curve = read_json(work_dir / 'curve.json')
    assert [p['images'] for p in curve] == [10, 13, 14]


def test_truncated_images_are_named_left_out_and_counted(make_cfg, run, dataset, tmp_path):
    bad = ['set_002.png', 'set_009.png']
    for name in bad:
        content = (dataset / name).read_bytes()
        (dataset / name).write_bytes(content[:len(content) // 2])
    work_dir = run(make_cfg(initial=6, query=6, rounds=1, max_epochs=1))
    log = ''.join(p.read_text() for p in work_dir.glob('*/*.log'))
    assert all(name in log and 'left out' in log for name in bad)
    labeled = {i['file_name'] for i in read_json(work_dir / 'round_00' / 'labeled.json')['images']}
    assert not labeled & set(bad)
    assert len(labeled) == 12
    assert all(p['metrics']['unreadable_images'] == 2 for p in read_json(work_dir / 'curve.json'))


def test_an_image_that_breaks_while_scoring_is_left_out(make_cfg, run, dataset):
    (dataset / 'set_003.png').write_bytes(b'no image')
    cfg = make_cfg(check_images=False, initial=5, query=2, rounds=1, max_epochs=1)
    cfg.randomness = dict(seed=next(s for s in range(20) if not picks(3, s, 5)))
    work_dir = run(cfg)
    assert list(read_json(work_dir / 'unreadable.json')['images']) == ['3']
    assert '3' not in [row['id'] for row in read_csv(work_dir / 'round_00' / 'scores.csv')]
    assert read_json(work_dir / 'curve.json')[0]['metrics']['unreadable_images'] == 1


def picks(image_id, seed, n):
    from mmal.pool.order import shuffled
    return image_id in shuffled(range(1, 15), seed, 'initial')[:n]


def edit(dataset, change, name='train'):
    data = read_json(dataset / f'{name}.json')
    change(data)
    (dataset / f'{name}.json').write_text(json.dumps(data))


BAD_INPUT = {
    'annotation file': (lambda d, c: (d / 'train.json').unlink(), r'not found: .*train.json'),
    'reference file': (lambda d, c: (d / 'val.json').unlink(), 'val.json'),
    'test file': (lambda d, c: (d / 'test.json').unlink(), r'not found: .*test.json'),
    'image file': (lambda d, c: (d / 'set_004.png').unlink(), r'1 of 14 image files .* do not exist.*set_004.png'),
    'not json': (lambda d, c: (d / 'train.json').write_text('{'), 'not valid JSON'),
    'not coco': (lambda d, c: (d / 'train.json').write_text('{"images": []}'), 'lacks categories'),
    'id twice': (lambda d, c: edit(d, lambda j: j['images'].append(j['images'][0])), 'image id 1 stands more'),
    'category': (lambda d, c: edit(d, lambda j: j['categories'][1].update(name='cube')), "'cube', which the config"),
    'category id': (lambda d, c: edit(d, lambda j: j['annotations'][0].update(category_id=9)), 'category id 9'),
    'strange image': (lambda d, c: edit(d, lambda j: j['annotations'][0].update(image_id=99)), 'not in its image list'),
    'annotation twice': (lambda d, c: edit(d, lambda j: j['annotations'].append(j['annotations'][0])),
                         'annotation id 1 stands'),
    'reference image': (lambda d, c: (d / 'set_102.png').unlink(), '1 of 4 image files of the reference set'),
    'test image': (lambda d, c: (d / 'set_203.png').unlink(), '1 of 4 image files of the evaluation set'),
    'test category': (lambda d, c: edit(d, lambda j: j['categories'][1].update(name='cube'), 'test'),
                      "test.json.*'cube'"),
    'no reference box': (lambda d, c: edit(d, lambda j: j.update(annotations=[]), 'val'),
                         'reference set has no box at all'),
    'holdout': (lambda d, c: c.train_cfg.update(holdout=-1), 'train_cfg.holdout'),
    'initial': (lambda d, c: c.train_cfg.update(initial=15), 'fewer than train_cfg.initial = 15'),
    'query': (lambda d, c: c.train_cfg.update(query=15), 'fewer than train_cfg.query = 15'),
    'zero rounds': (lambda d, c: c.train_cfg.update(rounds=0), r'train_cfg.rounds: expected .* at least 1, got 0'),
    'zero budget': (lambda d, c: c.train_cfg.update(query=0), r'train_cfg.query: expected .* got 0'),
    'unit': (lambda d, c: c.train_cfg.update(unit='euro'), "expected 'image', 'box' or 'second', got 'euro'"),
    'pattern': (lambda d, c: c.custom_hooks[0].update(params=['bbox_head.conv_clss']), 'Nearest names: bbox_head.conv'),
    'no hook': (lambda d, c: c.update(custom_hooks=[]), 'InfluenceSampler needs s_test'),
    'no length': (lambda d, c: c.train_cfg.pop('max_epochs'), 'max_epochs or max_iters'),
    'sampler': (lambda d, c: c.train_cfg.sampler.update(type='mmal.Best'), "no sampler 'mmal.Best'"),
    'sampler argument': (lambda d, c: c.train_cfg.sampler.update(topk=1), "train_cfg.sampler: .*'topk'"),
    'score_thr': (lambda d, c: c.train_cfg.sampler.update(score_thr=3), '0 <= score_thr <= 1'),
    'solver': (lambda d, c: c.custom_hooks[0].solver.update(damping=-2), 'expected damping >= 0'),
    'reference': (lambda d, c: c.custom_hooks[0].update(reference='test'), "expected reference='val'"),
}


@pytest.mark.parametrize('case', BAD_INPUT)
def test_bad_input_is_a_clear_error_before_training(make_cfg, run, dataset, case):
    spoil, message = BAD_INPUT[case]
    cfg = make_cfg()
    spoil(dataset, cfg)
    with pytest.raises((InputError, FileNotFoundError), match=message):
        run(cfg)
    assert not list(Path(cfg.work_dir).glob('round_*'))


def test_an_occupied_work_dir_is_refused_and_untouched(make_cfg, run):
    settings = dict(rounds=1, max_epochs=1, sampler=dict(type='mmal.RandomSampler'))
    work_dir = run(make_cfg(**settings))
    before = outcome(work_dir, 1)
    with pytest.raises(InputError, match='holds a run already'):
        run(make_cfg(**settings))
    cfg = make_cfg(**settings)
    cfg.resume, cfg.randomness = True, dict(seed=5)
    with pytest.raises(InputError, match='seed: was 0, now 5'):
        run(cfg)
    cfg = make_cfg(**dict(settings, sampler=dict(type='mmal.InfluenceSampler')))
    cfg.resume = True
    with pytest.raises(InputError, match='train_cfg.sampler.type: was'):
        run(cfg)
    assert outcome(work_dir, 1) == before


def test_resume_with_load_from_trains_from_those_weights(make_cfg, run, tmp_path):
    """mmengine would take load_from for the checkpoint of the outer Runner to resume."""
    settings = dict(rounds=1, max_epochs=1, sampler=dict(type='mmal.RandomSampler'))
    first = run(make_cfg(tmp_path / 'first', **settings))
    cfg = make_cfg(tmp_path / 'second', **settings)
    cfg.load_from, cfg.resume = str(first / 'round_00' / 'checkpoint.pth'), True
    cfg.optim_wrapper.optimizer.lr = 0.0
    key = 'bbox_head.conv_cls.weight'
    a, b = (load_tensors(w / 'round_00' / 'checkpoint.pth')['state_dict'][key] for w in (first, run(cfg)))
    assert torch.equal(a, b)


def test_code_in_a_checkpoint_to_begin_from_does_not_run(make_cfg, run, tmp_path):
    class Hostile:

        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'ran'), )

    torch.save(dict(state_dict={}, meta=Hostile()), tmp_path / 'evil.pth')
    cfg = make_cfg(rounds=1, max_epochs=1, sampler=dict(type='mmal.RandomSampler'))
    cfg.load_from = str(tmp_path / 'evil.pth')
    with pytest.raises(pickle.UnpicklingError):
        run(cfg)
    assert not (tmp_path / 'ran').exists()


def test_resume_with_another_pool_is_refused(make_cfg, run, dataset):
    settings = dict(rounds=1, max_epochs=1, sampler=dict(type='mmal.RandomSampler'))
    run(make_cfg(**settings))
    edit(dataset, lambda j: j['images'].pop())
    edit(dataset, lambda j: j.update(annotations=[a for a in j['annotations'] if a['image_id'] != 14]))
    cfg = make_cfg(**settings)
    cfg.resume = True
    with pytest.raises(InputError, match=r'pool.images: was 14, now 13'):
        run(cfg)


def test_a_holdout_is_labeled_and_never_trained_on(make_cfg, run, monkeypatch):
    cfg = make_cfg()
    cfg.custom_hooks[0].reference = 'holdout'
    cfg.train_cfg.update(holdout=0.34)
    work_dir = run(cfg)
    held = [i['id'] for i in read_json(work_dir / 'holdout.json')['images']]
    assert len(held) == 2
    for r in range(2):
        folder = work_dir / f'round_{r:02d}'
        trained_on = [i['id'] for i in read_json(folder / 'labeled.json')['images']]
        assert not set(held) & set(trained_on)
        assert not {str(i) for i in held} & {row['id'] for row in read_csv(folder / 'scores.csv')}
        assert read_json(folder / 's_test.json')['n_reference'] == 2
    curve = read_json(work_dir / 'curve.json')
    assert [p['images'] for p in curve] == [6, 9], 'they were labeled, so they count'
    boxes = sum(len(read_json(work_dir / f'{name}.json')['annotations']) for name in ('initial', 'holdout'))
    assert curve[0]['boxes'] == boxes


@pytest.mark.parametrize(('reference', 'sizes'), [('initial', [6, 6]), ('labeled', [6, 9])])
def test_other_reference_sets_of_the_run(make_cfg, run, reference, sizes):
    cfg = make_cfg(max_epochs=1)
    cfg.custom_hooks[0].reference = reference
    work_dir = run(cfg)
    assert [read_json(work_dir / f'round_{r:02d}' / 's_test.json')['n_reference'] for r in range(2)] == sizes


def test_a_holdout_out_of_range_is_refused(make_cfg, run):
    with pytest.raises(InputError, match='train_cfg.holdout'):
        run(make_cfg(holdout=1.0))
    with pytest.raises(InputError, match='none is left to train on'):
        run(make_cfg(holdout=0.99, sampler=dict(type='mmal.RandomSampler')))
    cfg = make_cfg(holdout=0.0)
    cfg.custom_hooks[0].reference = 'holdout'
    with pytest.raises(InputError, match='train_cfg.holdout above 0'):
        run(cfg)


def test_an_unreadable_first_image_does_not_stop_the_run(make_cfg, run, dataset):
    (dataset / 'set_001.png').write_bytes(b'x')
    work_dir = run(make_cfg(rounds=1, max_epochs=1))
    assert list(read_json(work_dir / 'unreadable.json')['images']) == ['1']


def test_an_influence_that_is_not_finite_is_ranked_last_counted_and_named(make_cfg, run, monkeypatch):
    from mmal.adapters.detection.model import DetectionAdapter
    original, bad = DetectionAdapter.pseudo_derivative, shuffled(range(1, 15), 0, 'initial')[-1]

    def broken(self, items, image_ids, *args):
        values, counts = original(self, items, image_ids, *args)
        values[[i == bad for i in image_ids]] = torch.nan
        return values, counts

    monkeypatch.setattr(DetectionAdapter, 'pseudo_derivative', broken)
    work_dir = run(make_cfg(rounds=1, initial=2, max_epochs=1))
    last = read_csv(work_dir / 'round_00' / 'scores.csv')[-1]
    assert (last['id'], last['influence'], last['selected']) == (str(bad), 'nan', '0')
    assert read_json(work_dir / 'curve.json')[0]['metrics']['nonfinite_images'] == 1
    assert f'Image {bad} is ranked last' in next(work_dir.glob('2*/*.log')).read_text()
    cfg = make_cfg(work_dir.parent / 'strict', rounds=1, initial=2, max_epochs=1)
    cfg.train_cfg.sampler.max_nonfinite = 0.05
    with pytest.raises(FloatingPointError, match='1 of 12 images of the pool.*max_nonfinite = 0.05.*Likely causes'):
        run(cfg)


def test_classification_runs_resumes_and_trains_on_what_was_labeled(run, tmp_path):
    cfg = config('resnet_digits_isal.py')
    cfg.train_cfg.update(initial=20, query=10, rounds=2, max_iters=4, val_interval=4)
    cfg.param_scheduler = [dict(type='ConstantLR', factor=1.0)]
    cfg.work_dir, cfg.launcher, cfg.visualizer.name = str(tmp_path / 'run'), 'none', str(tmp_path)
    work_dir = run(cfg)
    curve, labeled = read_json(work_dir / 'curve.json'), read_json(work_dir / 'round_01' / 'labeled.json')
    assert [(p['images'], p['boxes']) for p in curve] == [(20, 20), (30, 30)]
    assert 'accuracy/top1' in curve[0]['metrics']
    assert len(labeled) == 40
    assert set(labeled[0]) == {'id', 'label'}
    assert len({e['id'] for e in labeled}) == 40
    values = [float(row['influence']) for row in read_csv(work_dir / 'round_00' / 'scores.csv')]
    assert values == sorted(values)
    assert len(values) == 980
    cfg.resume = True
    cfg.train_cfg.rounds = 3
    assert len(read_json(run(cfg) / 'curve.json')) == 3
