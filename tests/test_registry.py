import warnings

import pytest
from mmengine.registry import LOOPS, DefaultScope

import mmal.registry as registry


def test_prefixed_types_resolve_under_mmdets_scope_without_imports():
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert LOOPS.get('mmal.ActiveLoop').__name__ == 'ActiveLoop'
        from mmengine.registry import DATASETS, HOOKS
        assert HOOKS.get('mmal.StestHook').__name__ == 'StestHook'
        assert DATASETS.get('mmal.DigitScenes').__name__ == 'DigitScenes'


@pytest.mark.parametrize(('name', 'type_'), [('SAMPLERS', 'mmal.InfluenceSampler'), ('SAMPLERS', 'mmal.RandomSampler'),
                                             ('SOLVERS', 'mmal.LiSSA')])
def test_own_registries_build_silently_under_any_scope(name, type_, caplog):
    with DefaultScope.overwrite_default_scope('mmdet'), warnings.catch_warnings():
        warnings.simplefilter('error')
        assert type(getattr(registry, name).build(dict(type=type_))).__name__ == type_.split('.')[1]
    assert 'Failed to search' not in caplog.text


def test_unknown_type_lists_what_there_is():
    with pytest.raises(KeyError, match=r"no sampler 'mmal.Nope'; there are .*mmal.InfluenceSampler"):
        registry.SAMPLERS.build(dict(type='mmal.Nope'))
