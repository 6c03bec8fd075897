"""Annotation by people: batches to label, files for labeling tools, imports that check labels."""

from .batch import Batch, BatchImage
from .importer import import_file
from .label_store import LabelStore

__all__ = ['Batch', 'BatchImage', 'LabelStore', 'import_file']
