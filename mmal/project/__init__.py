"""From images that nobody has labeled to a project that can be trained: what is behind ``tools/al_init.py``."""

from .base_config import BaseConfig
from .classes import read_classes
from .create import Settings, create, require_free
from .source import find_images

__all__ = ['BaseConfig', 'Settings', 'create', 'find_images', 'read_classes', 'require_free']
