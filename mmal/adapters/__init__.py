"""The only place that knows mmdet and mmpretrain.

Whatever a loop, hook or sampler needs of a host library goes through the adapters built here. Only
the host library that a config asks for is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mmal.errors import InputError

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.evaluator import Evaluator
    from torch import nn

    from mmal.utils.image_loading import ImageLoader

    from .base import DataAdapter, ModelAdapter
    from .listing import ImageListing

__all__ = [
    'build_data_adapter',
    'build_listing',
    'build_model_adapter',
    'complete_metrics',
    'image_loaders',
    'several_labels',
]


def build_data_adapter(cfg: Config) -> DataAdapter:
    """Build the data side of the task that a config describes.

    Args:
        cfg: The whole config.

    Raises:
        InputError: If the config's default_scope is not 'mmdet' or 'mmpretrain', or its training
            set cannot be read.
    """
    if _is_classification(cfg):
        from .classification.data import ClassificationDataAdapter

        return ClassificationDataAdapter(cfg)
    from .detection.data import DetectionDataAdapter

    return DetectionDataAdapter(cfg)


def build_listing(cfg: Config, known_classes: Sequence[str] = ()) -> ImageListing:
    """Build what lists images that a user names beside a config.

    Args:
        cfg: The whole config.
        known_classes: Class names to take if the config has none. Defaults to none.

    Raises:
        InputError: If the config's default_scope is not 'mmdet' or 'mmpretrain', or it has no
            dataset.
    """
    if _is_classification(cfg):
        from .classification.listing import ClassificationListing

        return ClassificationListing(cfg, known_classes)
    from .detection.listing import DetectionListing

    return DetectionListing(cfg)


def image_loaders(cfg: Config) -> list[ImageLoader]:
    """The different loading steps of a config's pipelines, to see what they make of a file.

    Args:
        cfg: The whole config.
    """
    from .loading_steps import find_image_loaders

    return find_image_loaders(cfg)


def build_model_adapter(model: nn.Module, cfg: Config) -> ModelAdapter:
    """Build the model side of the task that a config describes.

    Args:
        model: The built model, wrapped (DDP) or not.
        cfg: The whole config.

    Raises:
        InputError: If the config's default_scope is not 'mmdet' or 'mmpretrain', or the model is
            of a kind that is not supported.
    """
    if _is_classification(cfg):
        from .classification.model import ClassificationAdapter

        return ClassificationAdapter(model)
    from .detection.model import DetectionAdapter

    return DetectionAdapter(model)


def complete_metrics(
    cfg: Config, evaluator: Evaluator, metrics: Mapping[str, float]
) -> tuple[dict[str, float], list[str]]:
    """Complete what an evaluation gave where a model detected nothing. Every process calls it.

    Args:
        cfg: The whole config.
        evaluator: What has just evaluated.
        metrics: What it gave.

    Returns:
        The metrics, without those that were not measured; and the names of those that are 0 because
        nothing was detected, always none for a classifier.
    """
    if _is_classification(cfg):
        return dict(metrics), []
    from .detection.evaluation import complete_metrics as complete_detection_metrics

    return complete_detection_metrics(evaluator, metrics)


def several_labels(cfg: Config) -> bool:
    """Whether an image may have several labels, by the head of a config's classifier.

    Args:
        cfg: The whole config. For a detector the answer is False.

    Raises:
        InputError: If the config's default_scope is not 'mmdet' or 'mmpretrain'.
    """
    if not _is_classification(cfg):
        return False
    from .classification.heads import head_takes_several

    return head_takes_several(cfg)


def _is_classification(cfg: Config) -> bool:
    scope = cfg.get('default_scope', 'mmengine')
    if scope not in ('mmdet', 'mmpretrain'):
        raise InputError(
            f"mmal knows the tasks of default_scope 'mmdet' and 'mmpretrain', but this config has "
            f'{scope!r}. Inherit from a config of mmdet or mmpretrain, or set default_scope.'
        )
    return bool(scope == 'mmpretrain')
