"""A run is decided by its config, seed and images alone: not by hashing, loader workers or the order of a listing."""

import random
from textwrap import dedent

import numpy as np
import pytest
from PIL import Image

from mmal.fileio.text import read_csv, read_json
from tests.tools.test_al_train import call
from tests.zoo_configs import ROOT

ROUNDS = 3


@pytest.fixture
def tiny(tmp_path):
    """A config of the digits classifier on 40 files that ``pool.txt`` lists."""
    from mmal.datasets.digits import Digits
    lines = []
    for n, item in enumerate(Digits('train', pipeline=[])):
        if n == 40:
            break
        Image.fromarray(np.asarray(item['img'])).save(tmp_path / f'{n}.png')
        lines.append(f'{n}.png {item["gt_label"]}')
    (tmp_path / 'pool.txt').write_text('\n'.join(lines))
    random.Random(0).shuffle(lines)
    (tmp_path / 'shuffled.txt').write_text('\n'.join(lines))
    steps = [dict(type='LoadImageFromFile'), dict(type='RandomFlip', prob=0.5), dict(type='PackInputs')]
    (tmp_path / 'tiny.py').write_text(dedent(f"""
        _base_ = '{ROOT}/configs/resnet_digits_isal.py'
        pool = dict(type='CustomDataset', data_root='{tmp_path}', ann_file='pool.txt', pipeline={steps})
        train_dataloader = dict(batch_size=8, dataset=dict(_delete_=True, **pool))
        test = dict(type='CustomDataset', data_root='{tmp_path}', ann_file='pool.txt', test_mode=True,
                    pipeline={[steps[0], steps[2]]})
        val_dataloader = dict(dataset=dict(_delete_=True, **test))
        test_dataloader = dict(dataset=dict(_delete_=True, **test))
        train_cfg = dict(initial=10, query=8, rounds={ROUNDS}, max_iters=4, val_interval=4,
                         drop_evaluation_images=False)
        param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=False)]
        """))
    return tmp_path / 'tiny.py'


def outcome(work_dir):
    folders = [work_dir / f'round_{r:02d}' for r in range(ROUNDS - 1)]
    return dict(initial=read_json(work_dir / 'initial.json'),
                files=[read_json(f / n) for f in folders for n in ('selected.json', 'labeled.json', 'metrics.json')],
                last=read_json(work_dir / f'round_{ROUNDS - 1:02d}' / 'metrics.json'),
                scores=[read_csv(f / 'scores.csv') for f in folders])


@pytest.mark.slow
def test_hashing_workers_and_listing_order_change_nothing(tiny, tmp_path):
    ways = dict(one=('1', ['train_dataloader.num_workers=0']),
                other=('2', ['train_dataloader.num_workers=2', 'val_dataloader.num_workers=1',
                             'train_dataloader.dataset.ann_file=shuffled.txt']))
    for name, (hash_seed, options) in ways.items():
        done = call(ROOT / 'tools/al_train.py', tiny, '--work-dir', tmp_path / name, '--cfg-options', *options,
                    cwd=tmp_path, PYTHONHASHSEED=hash_seed)
        assert done.returncode == 0, done.stderr[-2000:]
    one, other = (outcome(tmp_path / name) for name in ways)
    assert [len(s) for s in one['scores']] == [30, 22]
    assert one == other
