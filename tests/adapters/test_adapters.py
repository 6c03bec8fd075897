"""The package's front door: which adapter a config gets, and which host library is loaded for it."""

import subprocess
import sys

import pytest
from mmengine.config import Config

import mmal.adapters
from mmal.adapters.base import DetectorAdapter
from mmal.errors import InputError
from tests.adapters.models_under_test import build_classifier, build_detector
from tests.zoo_configs import ROOT


def test_all_public_names_exist():
    assert all(hasattr(mmal.adapters, name) for name in mmal.adapters.__all__)
    assert set(mmal.adapters.__all__) == {'build_data_adapter', 'build_listing', 'build_model_adapter',
                                          'complete_metrics', 'image_loaders', 'several_labels'}


def test_nothing_is_loaded_before_it_is_needed():
    code = 'import sys, mmal.adapters; print([m for m in ("torch", "mmdet", "mmpretrain") if m in sys.modules])'
    out = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == '[]'


def test_detectors_are_told_from_classifiers():
    detector = mmal.adapters.build_model_adapter(build_detector('retinanet'), Config(dict(default_scope='mmdet')))
    classifier = mmal.adapters.build_model_adapter(build_classifier('resnet_cifar'),
                                                   Config(dict(default_scope='mmpretrain')))
    assert isinstance(detector, DetectorAdapter)
    assert not isinstance(classifier, DetectorAdapter)


@pytest.mark.parametrize('cfg', [dict(), dict(default_scope='mmseg')])
def test_another_scope_is_refused(cfg):
    with pytest.raises(InputError, match='Inherit from a config of mmdet or mmpretrain'):
        mmal.adapters.build_data_adapter(Config(cfg))
