"""The way to people and back: batches of images to label, exports for labeling tools, imports that distrust them."""

from .batch import Batch, BatchImage
from .importing import import_file
from .labels import Labels

__all__ = ['Batch', 'BatchImage', 'Labels', 'import_file']
