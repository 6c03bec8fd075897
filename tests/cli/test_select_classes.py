"""One call to a trained classifier, and to a detector in two processes."""

import json
import shutil

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mmal.cli.label import main as label
from mmal.fileio.text import read_csv, read_json, write_csv
from tests.cli.selection_cases import call, make_world
from tests.processes import program
from tests.project.conftest import picture
from tests.zoo_configs import ROOT, config

CLASSES = ('cat', 'dog')


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """A plain classifier of two classes with weights as they begin, and folders of pictures."""
    root = tmp_path_factory.mktemp('classes')
    for part, first, n in (('train', 0, 8), ('val', 20, 4)):
        for number in range(first, first + n):
            picture(root / part / CLASSES[number % 2] / f'{number:02d}.png', number, size=(32, 32))
    for number in range(40, 52):
        picture(root / 'photos' / f'{number:02d}.png', number, size=(32, 32))
    shutil.copy(root / 'train' / 'cat' / '00.png', root / 'photos' / 'copy.png')
    cfg = config('resnet_digits_isal.py')
    cfg.model.backbone.update(base_channels=4, stem_channels=4)
    cfg.model.head.update(num_classes=2, in_channels=16)
    cfg.model.data_preprocessor = dict(cfg.get('data_preprocessor') or {}, mean=[127.5] * 3, std=[127.5] * 3)
    steps = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(32, 32)), dict(type='PackInputs')]
    for part in ('train', 'val'):
        cfg[f'{part}_dataloader'] = dict(batch_size=4, num_workers=0, dataset=dict(
            type='CustomDataset', data_prefix=str(root / part), pipeline=steps))
    cfg.test_dataloader = cfg.val_dataloader
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
    cfg.pop('custom_hooks')
    cfg.pop('data_preprocessor', None)
    cfg.dump(root / 'plain.py')
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    (root / 'trained').mkdir()
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=CLASSES))),
               root / 'trained' / 'epoch_2.pth')
    return root


def test_a_classifier_from_the_folder_to_the_next_labeled_set(world):
    folder = call(world, budget=4)
    assert folder == world / 'out'
    counts = read_json(folder / 'selection.json')['inputs']['counts']
    assert (counts['candidates'], counts['labeled_before'], counts['labeled']) == (12, 1, 8)
    rows = read_csv(folder / 'to_label' / 'labels.csv')
    assert len(rows) == 4
    assert not {row['file_name'] for row in rows} & {'copy.png'}
    assert 'cat' in (folder / 'report.html').read_text()
    done = [[*dict(row, label='dog').values()] for row in rows]
    write_csv(world / 'done.csv', list(rows[0]), done)
    label([str(folder), str(world / 'done.csv')])
    joined = read_json(folder / 'labeled.json')
    assert [entry['label'] for entry in joined] == [0] * 4 + [1] * 8
    assert (folder / 'labeled.txt').read_text().splitlines()[0] == f'{world}/train/cat/00.png 0'
    for name in ('labeled.json', 'labeled.txt'):
        second = call(world, '--labeled', folder / name, '--reference', folder / name, out=f'by_{name}', budget=2)
        counts = read_json(second / 'selection.json')['inputs']['counts']
        assert (counts['candidates'], counts['labeled']) == (8, 12)


def test_what_a_classifier_cannot_do_is_told(world):
    (world / 'odd.txt').write_text(f'{world}/train/cat/00.png horse\n')
    assert "class 'horse' is none of the 2 of the config (cat, dog)" in call(
        world, '--labeled', world / 'odd.txt', out='odd')
    assert '--unit box is for detectors' in call(world, '--unit', 'box', out='boxes', budget=2)


def test_classes_come_from_the_checkpoint_where_no_data_are(world):
    cfg = Config.fromfile(world / 'plain.py')
    for part in ('train', 'val', 'test'):
        cfg[f'{part}_dataloader'].dataset.data_prefix = '/nowhere'
    cfg.dump(world / 'bare.py')
    folder = call(world, '--sampler', 'mmal.MarginSampler', out='bare', config='bare.py', budget=3)
    assert len(read_json(folder / 'selected.json')) == 3
    assert read_json(folder / 'selection.json')['inputs']['classes'] == ['cat', 'dog']


def test_an_active_learning_config_works_as_a_plain_one(world):
    cfg = Config.fromfile(world / 'plain.py')
    cfg.merge_from_dict(dict(train_cfg=dict(type='mmal.ActiveLoop', initial=4, query=2, rounds=2, sampler=dict(
        type='mmal.EntropySampler')), custom_hooks=[dict(type='mmal.StestHook', reference='holdout')]))
    cfg.dump(world / 'active.py')
    assert len(read_json(call(world, config='active.py', out='active', budget=2) / 'selected.json')) == 2


@pytest.mark.slow
def test_two_processes_select_the_same(tmp_path):
    world = make_world(tmp_path / 'world')
    alone = call(world)
    launch = [ROOT / 'tools' / 'al_select.py', world / 'plain.py', world / 'trained' / 'epoch_2.pth', '--images',
              world / 'photos', '--budget', 5, '--out', world / 'two', '--launcher', 'pytorch']
    torchrun = json.dumps([str(word) for word in launch])
    (tmp_path / 'launch.py').write_text(
        'import sys\nfrom torch.distributed.run import main\n'
        f'main(["--standalone", "--nproc-per-node", "2", *{torchrun}])\n')
    done = program(tmp_path / 'launch.py', cwd=tmp_path, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    assert done.returncode == 0, done.stderr[-3000:]
    assert read_json(world / 'two' / 'selected.json') == read_json(alone / 'selected.json')
    first, second = ({row['id']: float(row['influence']) for row in read_csv(folder / 'scores.csv')}
                     for folder in (alone, world / 'two'))
    assert first == pytest.approx(second, rel=1e-4, abs=1e-6)
