"""The project's own configs, read once."""

import copy
import functools
from pathlib import Path

ROOT = Path(__file__).parents[1]


@functools.cache
def _read(name):
    from mmengine.config import Config
    return Config.fromfile(ROOT / 'configs' / name)


def config(name):
    """A config of the project, to be changed at will; read once."""
    return copy.deepcopy(_read(name))
