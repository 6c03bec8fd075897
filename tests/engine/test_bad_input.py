"""What cannot work is refused, with a clear message, before anything is trained."""

import json
from pathlib import Path

import pytest

from mmal.errors import InputError
from mmal.fileio.text import read_json

pytestmark = pytest.mark.usefixtures('no_drawing')


def edit(dataset, change, name='train'):
    data = read_json(dataset / f'{name}.json')
    change(data)
    (dataset / f'{name}.json').write_text(json.dumps(data))


BAD_INPUT = {
    'annotation file': (lambda d, c: (d / 'train.json').unlink(), r'not found: .*train.json'),
    'reference file': (lambda d, c: (d / 'val.json').unlink(), 'val.json'),
    'test file': (lambda d, c: (d / 'test.json').unlink(), r'not found: .*test.json'),
    'image file': (lambda d, c: (d / 'set_004.png').unlink(), r'1 of 14 image files .* do not exist.*set_004.png'),
    'not json': (lambda d, c: (d / 'train.json').write_text('{'), 'is not whole JSON'),
    'not coco': (lambda d, c: (d / 'train.json').write_text('{"images": []}'), 'its "categories" lack'),
    'id twice': (lambda d, c: edit(d, lambda j: j['images'].append(j['images'][0])), 'image id 1 stands 2 times'),
    'category': (lambda d, c: edit(d, lambda j: j['categories'][1].update(name='cube')), "'cube', which the config"),
    'category id': (lambda d, c: edit(d, lambda j: j['annotations'][0].update(category_id=9)),
                    r'category_id is not in its "categories" .*set_001.png: 9\)'),
    'strange image': (lambda d, c: edit(d, lambda j: j['annotations'][0].update(image_id=99)),
                      r'image_id is not in its "images" .*: 99\)'),
    'image file in capitals': (lambda d, c: (d / 'set_004.png').rename(d / 'SET_004.PNG'),
                               "set_004.png; the nearest is 'SET_004.PNG': differs in case. Check data_root"),
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
    'no whole batch': (lambda d, c: c.train_dataloader.update(batch_size=8, drop_last=True),
                       'no iteration: an epoch of 6 images, .* no whole batch of 8'),
    'too small': (lambda d, c: c.train_dataloader.dataset.update(filter_cfg=dict(min_size=500)),
                  'no iteration: none of its 6 images'),
    'endless epoch': (lambda d, c: c.train_dataloader.update(sampler=dict(type='InfiniteSampler')),
                      'InfiniteSampler, which never ends an epoch, and train_cfg.max_epochs'),
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


def test_a_holdout_out_of_range_is_refused(make_cfg, run):
    with pytest.raises(InputError, match='train_cfg.holdout'):
        run(make_cfg(holdout=1.0))
    with pytest.raises(InputError, match='none is left to train on'):
        run(make_cfg(holdout=0.99, sampler=dict(type='mmal.RandomSampler')))
    cfg = make_cfg(holdout=0.0)
    cfg.custom_hooks[0].reference = 'holdout'
    with pytest.raises(InputError, match='train_cfg.holdout above 0'):
        run(cfg)


@pytest.mark.parametrize(('changes', 'message'), [
    (dict(unit='second'), 'needs an oracle that is people'),
    (dict(stop=dict(influence=0.5), sampler=dict(type='mmal.RandomSampler')), 'RandomSampler gives no influence')])
def test_what_cannot_work_is_said_at_the_start(make_cfg, run, changes, message):
    cfg = make_cfg(**changes)
    with pytest.raises(InputError, match=message):
        run(cfg)
