"""Features of the embedded digits by a network with random weights."""

import logging

import numpy as np
import pytest

from mmal.adapters import build_model_adapter
from mmal.cli.features import main as features
from mmal.engine import feature_extraction
from mmal.engine.feature_extraction import extract_features
from mmal.engine.without_runner import prepare_process
from mmal.errors import InputError
from mmal.run.feature_cache import FeatureCache
from tests.zoo_configs import ROOT, config

LOG = logging.getLogger('test')


@pytest.fixture(scope='module')
def cfg():
    cfg = config('resnet_digits_isal.py')
    cfg.model.backbone.base_channels = cfg.model.backbone.stem_channels = 4
    cfg.model.head.in_channels = 16
    cfg.launcher = 'none'
    prepare_process(cfg, 0)
    return cfg


@pytest.fixture(scope='module')
def cache(cfg, tmp_path_factory):
    return extract_features(cfg, tmp_path_factory.mktemp('digits') / 'features', ['backbone'], 128, LOG)


def test_features_are_those_of_the_adapter(cfg, cache):
    model = feature_extraction._pretrained(cfg)
    adapter = build_model_adapter(model, cfg)
    pool = cache.read_set('pool')
    assert pool.vectors.shape == (1000, 16)
    dataset = feature_extraction.build_data_adapter(cfg).reference_dataset(cfg.val_dataloader.dataset)
    expected = adapter.features([dataset[0], dataset[5]], ['backbone']).numpy()
    assert np.allclose(cache.read_set('reference').vectors[[0, 5]], expected, atol=1e-5)


def test_the_sets_are_those_of_the_config_with_their_labels(cfg, cache):
    sizes = {name: len(cache.read_set(name).ids) for name in ('pool', 'reference', 'evaluation')}
    assert sizes == dict(pool=1000, reference=300, evaluation=497)
    assert set(cache.read_set('pool').labels) == set(range(10))
    assert len(cache.classes()) == 10


def test_a_second_pass_computes_nothing_and_a_lost_file_is_computed_again(cfg, cache, monkeypatch):
    calls = []
    original = feature_extraction.batches

    def counted(dataset, order, size):
        calls.append(len(order))
        return original(dataset, order, size)

    monkeypatch.setattr(feature_extraction, 'batches', counted)
    extract_features(cfg, cache.folder, ['backbone'], 128, LOG)
    assert calls == [0, 0, 0]
    before = cache.read_set('evaluation').vectors
    sorted(cache.folder.glob('vectors_*.npz'))[-1].unlink()
    calls.clear()
    extract_features(cfg, cache.folder, ['backbone'], 128, LOG)
    assert sum(calls) > 0
    assert np.allclose(cache.read_set('evaluation').vectors, before)


def test_other_layers_are_another_model(cfg, cache):
    with pytest.raises(InputError, match='layers differ'):
        extract_features(cfg, cache.folder, ['neck'], 128, LOG)


def test_a_detector_is_refused(tmp_path):
    with pytest.raises(InputError, match='classifiers with one label per image'):
        extract_features(config('fcos_digits_isal.py'), tmp_path, ['backbone'], 4, LOG)


def test_a_reference_set_that_a_run_keeps_needs_no_features(cfg):
    assert feature_extraction._reference(cfg) == 'val'
    changed = cfg.copy()
    changed.custom_hooks = [dict(type='mmal.StestHook', reference='labeled')]
    assert feature_extraction._reference(changed) is None
    changed.custom_hooks = []
    assert feature_extraction._reference(changed) is None


def test_the_command(tmp_path, capsys):
    options = ['model.backbone.base_channels=4', 'model.backbone.stem_channels=4', 'model.head.in_channels=16']
    features([str(ROOT / 'configs/resnet_digits_isal.py'), '--out', str(tmp_path / 'f'), '--cfg-options', *options])
    said = capsys.readouterr()
    assert f'{tmp_path}/f has features of' in said.out
    assert 'torch.Size' not in said.out + said.err, 'the host lists every weight that it makes'
    assert FeatureCache(tmp_path / 'f').read_set('pool').vectors.shape == (1000, 16)
