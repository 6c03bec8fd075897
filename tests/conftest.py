"""A tiny real detection set and a tiny real FCOS for every test that needs them."""

import gc
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.sampler_fixtures import ask, ids, world  # noqa: F401  fixtures for everyone
from tests.zoo_configs import config

os.environ.setdefault('OMP_NUM_THREADS', '1')
torch.set_num_threads(1)


def coco(n, folder, seed=0, classes=('disc', 'square'), size=(64, 48), start=1):
    """Write n pictures of bright boxes on dark ground; return their COCO dict."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for image_id in range(start, start + n):
        pixels = rng.integers(0, 60, (size[1], size[0], 3), dtype=np.uint8)
        for _ in range(rng.integers(1, 4)):
            w, h = rng.integers(10, 24, 2)
            x, y = rng.integers(0, size[0] - w), rng.integers(0, size[1] - h)
            label = int(rng.integers(len(classes)))
            pixels[y:y + h, x:x + w, label] = 230
            annotations.append(dict(id=len(annotations) + 1, image_id=image_id, category_id=label + 1,
                                    bbox=[int(x), int(y), int(w), int(h)], area=int(w * h), iscrowd=0))
        name = f'{Path(folder).name}_{image_id:03d}.png'
        Image.fromarray(pixels).save(Path(folder) / name)
        images.append(dict(id=image_id, file_name=name, width=size[0], height=size[1]))
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(classes)]
    return dict(images=images, annotations=annotations, categories=categories)


def make_voc(root):
    """Write a tiny VOC2012 in its own layout: 4 images to train, 2 to val."""
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / 'VOC2012' / folder).mkdir(parents=True)
    names = [f'2008_{i:06d}' for i in range(6)]
    for i, name in enumerate(names):
        Image.new('RGB', (60, 40), (i * 30, 0, 0)).save(root / 'VOC2012' / 'JPEGImages' / f'{name}.jpg')
        objects = ''.join(
            f'<object><name>{n}</name><difficult>{d}</difficult><bndbox><xmin>{x + 1}</xmin><ymin>3</ymin>'
            f'<xmax>{x + 35}</xmax><ymax>38</ymax></bndbox></object>' for n, d, x in (('cat', 0, i), ('dog', 1, 5)))
        (root / 'VOC2012' / 'Annotations' / f'{name}.xml').write_text(
            f'<annotation><size><width>60</width><height>40</height></size>{objects}</annotation>')
    for part, some in (('train', names[:4]), ('val', names[4:])):
        (root / 'VOC2012' / 'ImageSets' / 'Main' / f'{part}.txt').write_text('\n'.join(some) + '\n')
    return root


@pytest.fixture(scope='session', autouse=True)
def _imports_are_no_garbage():
    """mmengine collects garbage at each dataset it builds, and all that is imported by now would be searched."""
    import mmdet.utils
    import mmpretrain.utils
    for host in (mmdet, mmpretrain):
        host.utils.register_all_modules(init_default_scope=False)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def _configs_are_not_made_pretty():
    """mmengine has yapf format a config each time it is logged or written: half of the time of a tiny run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **style: (text, False))
        yield


@pytest.fixture(scope='module')
def no_drawing():
    """Charts stay empty, for tests that look at none: drawing is half of the rest. All files and pages are written."""
    def savefig(self, file, format, **how):  # noqa: A002  matplotlib's name
        file.write(b'<svg viewBox="0 0 1 1"></svg>' if format == 'svg' else b'\x89PNG')

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('matplotlib.figure.Figure.savefig', savefig)
        yield


def make_dataset(root):
    """Write train.json (14 images), val.json (4) and test.json (4) into a new folder."""
    root.mkdir()
    for name, n, seed, start in (('train', 14, 0, 1), ('val', 4, 1, 101), ('test', 4, 2, 201)):
        (root / f'{name}.json').write_text(json.dumps(coco(n, root, seed, start=start)))
    return root


@pytest.fixture
def dataset(tmp_path):
    """A folder as make_dataset writes it. A module whose tests only read it may have one for all of them."""
    return make_dataset(tmp_path / 'set')


def tiny_cfg(work_dir, dataset, **train_cfg):
    """Config of a tiny active run on such a dataset; keyword arguments go to train_cfg."""
    cfg = config('fcos_digits_isal.py')
    cfg.model.backbone.update(base_channels=8, stem_channels=8)
    cfg.model.neck.update(in_channels=[16, 32, 64], out_channels=16)
    cfg.model.bbox_head.update(num_classes=2, in_channels=16, feat_channels=16, stacked_convs=1)
    cfg.model.test_cfg.update(score_thr=0.001, max_per_img=5)  # so that a hardly trained model detects something
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=4)
        loader.dataset.update(type='CocoDataset', data_root=str(dataset), ann_file=f'{name}.json',
                              metainfo=dict(classes=('disc', 'square')))
        if name != 'train':
            cfg[f'{name}_evaluator'].ann_file = str(dataset / f'{name}.json')
    cfg.train_dataloader.dataset.pipeline = [dict(type='LoadImageFromFile'),
                                             dict(type='LoadAnnotations', with_bbox=True),
                                             dict(type='PackDetInputs')]
    cfg.train_cfg.update(dict(initial=6, query=3, rounds=2, max_epochs=2, val_interval=10) | train_cfg)
    if cfg.train_cfg.sampler.type == 'mmal.InfluenceSampler':
        cfg.train_cfg.sampler.setdefault('score_thr', 0.005)
    cfg.custom_hooks[0].solver = dict(type='mmal.CG', max_iter=3, tol=0.5)
    cfg.param_scheduler = [dict(type='MultiStepLR', milestones=[1], by_epoch=True)]
    cfg.default_hooks.checkpoint.update(interval=10)
    cfg.work_dir, cfg.launcher = str(work_dir), 'none'
    cfg.visualizer.name = cfg.work_dir  # visualizers are process-global by name
    return cfg


@pytest.fixture
def make_cfg(dataset, tmp_path):
    """Config of a tiny active run on the test's dataset; keyword arguments go to train_cfg."""
    def make(work_dir=None, root=dataset, **train_cfg):
        return tiny_cfg(work_dir or tmp_path / 'run', root, **train_cfg)

    return make


@pytest.fixture
def config_file(make_cfg, tmp_path):
    """Its config with one round of one epoch as a file, for the command line."""
    cfg = make_cfg(rounds=1, max_epochs=1)
    cfg.pop('work_dir')
    cfg.pop('launcher')
    cfg.dump(tmp_path / 'tiny.py')
    return tmp_path / 'tiny.py'


def run_to_its_end(cfg):
    """Run a config to its end and return its work_dir."""
    from mmengine.runner import Runner
    if cfg.get('experiment_name') is None:  # mmengine's is the second: tests that share one would share a log
        cfg.experiment_name = '_'.join(Path(cfg.work_dir).parts[-2:])
    Runner.from_cfg(cfg).train()
    return Path(cfg.work_dir)


@pytest.fixture
def run():
    """Run a config to its end and return its work_dir."""
    return run_to_its_end
