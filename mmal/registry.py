"""Registries of mmal, scope 'mmal': ``type='mmal.InfluenceSampler'`` works without an import.

This module imports only mmengine: an ImportError in it would show up as "not in the registry".
"""

from __future__ import annotations

from typing import Any

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import Registry


def _build(
    cfg: dict[str, Any], registry: Registry, default_args: dict[str, Any] | None = None
) -> Any:
    """Build an object from this registry, whatever the default scope is.

    mmengine's own function would search the default scope, and warn.

    Args:
        cfg: Config of the object: its ``type``, a name or a class, and its arguments.
        registry: Registry that the name is looked up in.
        default_args: Arguments that ``cfg`` overrides. Defaults to None.

    Raises:
        KeyError: If the registry lacks the name.
    """
    arguments = {**(default_args or {}), **cfg}
    object_type = arguments.pop('type')
    if not isinstance(object_type, str):
        return object_type(**arguments)
    object_class = registry.get(object_type)
    if object_class is None:
        known = ', '.join(f'mmal.{name}' for name in sorted(registry.module_dict))
        raise KeyError(f'no {registry.name} {object_type!r}; there are {known}')
    return object_class(**arguments)


LOOPS = Registry('loop', parent=MMENGINE_LOOPS, scope='mmal', locations=['mmal.engine.active_loop'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope='mmal', locations=['mmal.engine.hooks'])
MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='mmal',
    locations=['mmal.models.learning_loss', 'mmal.models.pixels'],
)
DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='mmal',
    locations=[
        'mmal.datasets.digit_scenes',
        'mmal.datasets.digits',
        'mmal.datasets.pool_subset',
        'mmal.datasets.svhn',
        'mmal.datasets.seeded',
    ],
)
DATA_SAMPLERS = Registry(
    'data sampler', parent=MMENGINE_DATA_SAMPLERS, scope='mmal', locations=['mmal.datasets.seeded']
)
SAMPLERS = Registry('sampler', scope='mmal', build_func=_build, locations=['mmal.samplers'])
ORACLES = Registry('oracle', scope='mmal', build_func=_build, locations=['mmal.oracles'])
SOLVERS = Registry('solver', scope='mmal', build_func=_build, locations=['mmal.engine.solvers'])
