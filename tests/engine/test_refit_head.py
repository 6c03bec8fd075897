"""A run that selects with a last layer refitted on frozen features."""

import logging

import numpy as np
import pytest
import torch

from mmal.adapters.frozen_head.logistic_regression import fit_by_reference
from mmal.adapters.frozen_head.projection import Projection
from mmal.engine.dry_run import dry_run
from mmal.engine.refit_head import RefitHead
from mmal.engine.refitted_model import Loader, RefittedModel
from mmal.errors import InputError
from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import read_json
from mmal.run.layout import RunPaths
from tests.zoo_configs import config


class FrozenNetwork:
    """Items are rows of a table; data samples are their classes."""

    def __init__(self):
        self.table = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
        self.labels = torch.randint(0, 3, (40,), generator=torch.Generator().manual_seed(1))
        self.asked = []

    def features(self, items, layers):
        self.asked.append(layers)
        return self.table[[item['row'] for item in items]]

    def dataset(self, rows):
        from mmpretrain.structures import DataSample
        return [dict(row=row, data_samples=DataSample().set_gt_label(int(self.labels[row]))) for row in rows]


class Trained:
    seed = 3

    def __init__(self):
        self.calls = []

    def train(self, checkpoint):
        self.calls.append('train')

    def evaluate(self):
        self.calls.append('evaluate')
        return 'evaluation'

    def release(self):
        self.calls.append('release')


def make(frozen, model=None, head=None, reference=range(20, 40)):
    opener = None if reference is None else lambda: frozen.dataset(reference)
    return RefittedModel(model or Trained(), head or RefitHead(components=None), lambda: frozen,
                         lambda: frozen.dataset(range(20)), opener, ('a', 'b', 'c'), False, Loader(8, 0),
                         logging.getLogger('test'))


def test_the_layer_is_fitted_to_the_labeled_images_and_chosen_by_the_reference_set():
    frozen = FrozenNetwork()
    adapter = make(frozen).adapter()
    project = Projection.of(frozen.table, None)
    one_hot = np.eye(3)[frozen.labels.numpy()]
    x = project(frozen.table).double().numpy()
    expected = fit_by_reference(x[:20], one_hot[:20], x[20:], one_hot[20:])
    assert adapter.l2 == expected.l2
    assert adapter.temperature == pytest.approx(expected.temperature)
    assert np.allclose(adapter.model.fc.weight.detach().numpy(), expected.weight, atol=1e-5)
    items = frozen.dataset([4, 9])
    assert torch.allclose(adapter.features(items), project(frozen.table[[4, 9]]))
    assert frozen.asked[0] == ['backbone']
    assert adapter.losses(items).shape == (2,)


def test_without_a_reference_set_or_with_a_strength_of_its_own():
    frozen = FrozenNetwork()
    assert make(frozen, reference=None).adapter().l2 > 0
    given = make(frozen, head=RefitHead(weight_decay=0.25)).adapter()
    assert given.l2 == 5.0
    assert given.temperature == 1.0


def test_training_and_evaluation_are_those_of_the_model_and_the_layer_is_fitted_once():
    frozen, model = FrozenNetwork(), Trained()
    refitted = make(frozen, model)
    refitted.train('x')
    assert refitted.evaluate() == 'evaluation'
    assert refitted.seed == 3
    assert refitted.adapter() is refitted.adapter()
    refitted.release()
    assert model.calls == ['train', 'evaluate', 'release']
    before = len(frozen.asked)
    refitted.adapter()
    assert len(frozen.asked) > before


def test_an_empty_set_is_said():
    frozen = FrozenNetwork()
    with pytest.raises(InputError, match='reference set is empty'):
        make(frozen, reference=[]).adapter()


def test_what_train_cfg_head_may_be():
    assert RefitHead.from_config(None) is None
    assert RefitHead.from_config('refit') == RefitHead()
    assert RefitHead.from_config(dict(layers=['neck'], components=8)) == RefitHead(('neck',), 8)
    for bad in ('other', 3, dict(l2=1), dict(components=0), dict(weight_decay=0), dict(layers=[])):
        with pytest.raises(InputError, match=r'train_cfg\.head'):
            RefitHead.from_config(bad)


def small(tmp_path, **train_cfg):
    cfg = config('resnet_digits_isal.py')
    cfg.model.backbone.base_channels = cfg.model.backbone.stem_channels = 4
    cfg.model.head.in_channels = 16
    cfg.param_scheduler, cfg.launcher, cfg.resume = [dict(type='ConstantLR', factor=1.0)], 'none', False
    cfg.train_cfg.update(initial=20, query=5, rounds=2, max_iters=2, val_interval=2, head='refit')
    cfg.train_cfg.update(train_cfg)
    cfg.work_dir = cfg.visualizer.name = str(tmp_path / 'run')
    return cfg


SAMPLERS = [dict(type='mmal.InfluenceSampler', batch='fisher'), dict(type='mmal.BadgeSampler')]


@pytest.mark.parametrize('sampler', SAMPLERS, ids=['influence and Fisher', 'BADGE'])
def test_a_whole_run_selects_with_it(tmp_path, run, sampler):
    cfg = small(tmp_path)
    cfg.train_cfg.sampler = sampler
    folder = RunPaths(run(cfg)).round(0)
    assert len(read_json(folder.artifact('select'))) == 5
    chosen = read_json(folder.artifact('describe'))['images']
    assert all(entry['predictions'] and entry['nearest'] for entry in chosen)
    if sampler['type'] == 'mmal.InfluenceSampler':
        s_test = load_tensors(folder.artifact('s_test'))
        assert {name: tuple(value.shape) for name, value in s_test.items()} == {'fc.weight': (10, 16), 'fc.bias': (10,)}
        report = read_json(folder.artifact('s_test').with_suffix('.json'))
        assert report['converged']
        assert report['n_hessian'] == 20
    assert len(read_json(tmp_path / 'run' / 'curve.json')) == 2


def test_a_dry_run_says_it(tmp_path):
    plan, problems = dry_run(small(tmp_path))[:2]
    assert not problems, problems
    assert 'a last layer refitted on features of backbone' in plan


@pytest.mark.parametrize(('change', 'said'), [
    (lambda cfg: cfg.train_cfg.update(head=dict(layers=['nek'])), "has no module 'nek'"),
    (lambda cfg: cfg.custom_hooks[0].update(params=['head.fc']), 'Remove StestHook.params'),
])
def test_what_cannot_work_is_refused_at_the_start(tmp_path, change, said):
    cfg = small(tmp_path)
    change(cfg)
    problems = dry_run(cfg)[1]
    assert any(said in problem for problem in problems), problems


def test_a_detector_is_refused_at_the_start(tmp_path):
    cfg = config('fcos_digits_isal.py')
    cfg.train_cfg.head = 'refit'
    cfg.work_dir, cfg.launcher, cfg.resume = str(tmp_path / 'run'), 'none', False
    problems = dry_run(cfg)[1]
    assert any("head='refit' is for classifiers" in problem for problem in problems), problems
