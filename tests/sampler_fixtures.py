"""Two small worlds to ask samplers about; a test module gives a fixture ``case`` (kind of model and sampler config)."""

import json
import logging
from itertools import count

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS as DETECTORS
from mmdet.utils import register_all_modules
from mmpretrain.registry import MODELS as CLASSIFIERS
from mmpretrain.utils import register_all_modules as register_classification
from PIL import Image

from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.fileio.tensors import save_tensors
from mmal.fileio.text import write_json
from mmal.influence.parameters import select_parameters
from mmal.models.learning_loss import LossPrediction
from mmal.samplers.base import Query
from tests.zoo_configs import config


class Detection:
    """A tiny FCOS on the tiny set."""

    last = [f'bbox_head.conv_{n}' for n in ('cls', 'reg', 'centerness')]

    def __init__(self, make_cfg, dataset):
        register_all_modules(init_default_scope=True)
        self.cfg, self.dataset = make_cfg(), dataset
        self.model = DETECTORS.build(self.cfg.model)

    def falsify(self):
        data = json.loads((self.dataset / 'train.json').read_text())
        labeled = [a for a in data['annotations'] if a['image_id'] <= 3]
        for a in data['annotations']:
            if a['image_id'] > 3:
                a.update(bbox=[0, 0, 9, 9], area=81)
        data['annotations'] = labeled + data['annotations'][-5:]
        (self.dataset / 'train.json').write_text(json.dumps(data))

    def spoil(self, image_id):
        name = f'set_{image_id:03d}.png'
        (self.dataset / name).write_bytes(b'no image')

    def pictures(self):
        return [self.dataset / f'set_{i:03d}.png' for i in range(1, 15)]


class Classification:
    """A narrow ResNet on small colour images."""

    last = ['head.fc']

    def __init__(self, folder):
        register_classification(init_default_scope=True)
        self.folder = folder / 'images'
        self.cfg = config('resnet_digits_isal.py')
        self.folder.mkdir()
        rng = np.random.default_rng(0)
        for i in range(14):
            Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(self.folder / f'{i:02d}.png')
        for name in ('labels.txt', 'reference.txt'):
            self._write(name, lambda i: i % 2)
        pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
        for loader in (self.cfg.train_dataloader, self.cfg.val_dataloader):
            loader.dataset = dict(type='CustomDataset', data_prefix=str(self.folder), classes=('even', 'odd'),
                                  ann_file=str(self.folder / 'labels.txt'), pipeline=pipeline)
        self.cfg.val_dataloader.dataset.ann_file = str(self.folder / 'reference.txt')
        self.cfg.model.head.num_classes = 2
        self.model = CLASSIFIERS.build(dict(self.cfg.model, data_preprocessor=dict(
            type='ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3)))

    def _write(self, name, label):
        (self.folder / name).write_text(''.join(f'{i:02d}.png {label(i)}\n' for i in range(14)))

    def falsify(self):
        self._write('labels.txt', lambda i: i % 2 if i < 3 else 1 - i % 2)

    def spoil(self, image_id):
        (self.folder / image_id).write_bytes(b'no image')

    def pictures(self):
        return [self.folder / f'{i:02d}.png' for i in range(14)]


@pytest.fixture
def world(case, make_cfg, dataset, tmp_path):
    torch.manual_seed(0)
    world = Detection(make_cfg, dataset) if case[0] == 'detection' else Classification(tmp_path)
    if case[1]['type'] == 'mmal.LearningLossSampler':
        world.model.loss_prediction = LossPrediction(['backbone.layer2', 'backbone.layer3'], [16, 32])
        if case[0] == 'classification':
            world.model.loss_prediction = LossPrediction(['backbone.layer1', 'backbone.layer2'], [16, 32])
    return world


@pytest.fixture
def ids(world):
    return sorted(i['id'] for i in build_data_adapter(world.cfg).images)


@pytest.fixture
def ask(world, ids, tmp_path):
    """Ask a sampler about some ids; anything about the query may be changed."""
    params = select_parameters(world.model, world.last)
    save_tensors(tmp_path / 's_test.pth', {n: torch.randn_like(p) for n, p in params.items()})
    labeled, number = ids[:3], count()

    def go(sampler, ask_for=None, order=1, **changes):
        def images():
            data = build_data_adapter(world.cfg)
            listing = data.pool_contents()
            entries = listing['images'] if isinstance(listing, dict) else listing
            entries[:] = entries[::order]
            write_json(tmp_path / 'pool.json', listing)
            pool = data.pool_dataset(str(tmp_path / 'pool.json'))
            return pool, data.row_index(pool)

        def labeled_images():
            data = build_data_adapter(world.cfg)
            write_json(tmp_path / 'labeled.json', data.labeled_contents(labeled, data.ground_truth(labeled)))
            return data.labeled_dataset(str(tmp_path / 'labeled.json'))

        settings = dict(round=0, seed=0, ids=list(ids[3:] if ask_for is None else ask_for), labeled=labeled, budget=4,
                        folder=tmp_path, pass_dir=tmp_path / f'passes_{next(number)}', images=images,
                        labeled_images=labeled_images,
                        reference_images=lambda: build_data_adapter(world.cfg).reference_dataset('val'),
                        adapter=lambda: build_model_adapter(world.model, world.cfg),
                        batch_size=4, num_workers=0, logger=logging.getLogger())
        return sampler.score(Query(**(settings | changes)))

    go.adapter = lambda: build_model_adapter(world.model, world.cfg)
    return go


def ranking(scores):
    return scores.ranking(0, 'x')
