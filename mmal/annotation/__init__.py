"""The way to people and back: batches of images to label, exports for labeling tools, imports that distrust them."""

from .batch import Batch, BatchImage
from .importer import import_file
from .label_store import LabelStore

__all__ = ['Batch', 'BatchImage', 'LabelStore', 'import_file']
