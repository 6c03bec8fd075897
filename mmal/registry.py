"""Registries of mmal, scope 'mmal': write ``type='mmal.InfluenceSampler'`` and nothing needs importing.

This module imports mmengine alone: an ImportError in it would show up as "not in the registry".
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import Registry


def _build(cfg: dict, registry: Registry, default_args: dict | None = None):
    """Build from this registry whatever the default scope is; mmengine's own function would search it and warn."""
    args = {**(default_args or {}), **cfg}
    name = args.pop('type')
    found = registry.get(name) if isinstance(name, str) else name
    if found is None:
        raise KeyError(
            f'no {registry.name} {name!r}; there are '
            f'{", ".join(f"mmal.{known}" for known in sorted(registry.module_dict))}'
        )
    return found(**args)


LOOPS = Registry('loop', parent=MMENGINE_LOOPS, scope='mmal', locations=['mmal.engine.active_loop'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope='mmal', locations=['mmal.engine.hooks'])
MODELS = Registry(
    'model', parent=MMENGINE_MODELS, scope='mmal', locations=['mmal.models.learning_loss']
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
SOLVERS = Registry(
    'solver', scope='mmal', build_func=_build, locations=['mmal.engine.solvers']
)
