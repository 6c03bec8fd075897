"""From images that nobody has labeled to a project that can be trained, for ``mmal init``."""

from .base_config import BaseConfig
from .class_names import read_classes
from .create import create, require_free
from .image_source import find_images
from .settings import Settings

__all__ = ['BaseConfig', 'Settings', 'create', 'find_images', 'read_classes', 'require_free']
