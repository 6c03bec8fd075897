"""The steps of a config's pipelines that load images."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import mmcv.transforms  # noqa: F401  registers what configs name
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.registry import TRANSFORMS, DefaultScope

from mmal.utils.image_loading import ImageLoader

from .dataset_config import leaves

PLAIN_BACKENDS = ('cv2', 'pillow')
"""Libraries that read every ordinary JPEG and PNG file."""
PLAIN_COLOURS = ('color', 'color_ignore_orientation')
"""Values of ``color_type`` that make three channels of 8 bits."""
HOSTS = ('mmcv', 'mmdet', 'mmpretrain')
"""Packages whose steps leave the number of channels as it is."""
CHANGING = ('Albu', 'Albumentations')
"""Steps of these packages that may change it."""


def find_image_loaders(cfg: Config) -> list[ImageLoader]:
    """The different loading steps of the pipelines of all datasets of a config.

    A step that is not mmcv's ``LoadImageFromFile``, nor made from it, is not known, and left out.

    Args:
        cfg: The whole config.
    """
    loaders: dict[str, ImageLoader] = {}
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataloader = cfg.get(name)
        if not dataloader or not dataloader.get('dataset'):
            continue
        for leaf in leaves(dataloader.dataset):
            loader = _loader(leaf.get('pipeline') or [], cfg)
            if loader is not None:
                key = f'{loader.name} {loader.channels}'
                loaders.setdefault(key, loader)
    return list(loaders.values())


def _loader(pipeline: Sequence[dict[str, Any]], cfg: Config) -> ImageLoader | None:
    for place, step in enumerate(pipeline):
        step_class = _step_class(step, cfg)
        if step_class is not None and issubclass(step_class, LoadImageFromFile):
            return _make(step, step_class, _channels(pipeline[place + 1 :], cfg))
    return None


def _make(
    step: dict[str, Any], step_class: type[LoadImageFromFile], channels: tuple[int, ...]
) -> ImageLoader:
    arguments = copy.deepcopy({key: value for key, value in step.items() if key != 'type'})
    shown = ', '.join(f'{key}={value!r}' for key, value in arguments.items() if value is not None)
    transform = step_class(**arguments)
    is_plain = (
        step_class is LoadImageFromFile
        and transform.imdecode_backend in PLAIN_BACKENDS
        and transform.color_type in PLAIN_COLOURS
        and (not channels or 3 in channels)
    )

    def load(path: str) -> Any:
        results = transform.transform(dict(img_path=path, img_id=0))
        return None if results is None else results['img']

    return ImageLoader(
        name=f'{step_class.__name__}({shown})',
        load=load,
        channels=channels,
        is_plain=is_plain,
        converts=bool(transform.to_float32),
    )


def _step_class(step: dict[str, Any], cfg: Config) -> Any:
    """The class of a step of a pipeline; None if it is not registered."""
    kind = step.get('type')
    if not isinstance(kind, str):
        return kind
    scope = cfg.get('default_scope') or 'mmengine'
    with DefaultScope.overwrite_default_scope(scope):
        found = TRANSFORMS.get(kind)
    if found is None and kind.split('.')[-1] == LoadImageFromFile.__name__:
        return LoadImageFromFile
    return found


def _channels(later_steps: Sequence[dict[str, Any]], cfg: Config) -> tuple[int, ...]:
    """Numbers of channels that the model takes of a loaded image; empty if it is not known.

    A mean of several values is subtracted from as many channels. mmpretrain makes several channels
    of a single one by it.
    """
    preprocessor = cfg.get('data_preprocessor') or cfg.model.get('data_preprocessor') or {}
    mean = preprocessor.get('mean') or ()
    if not isinstance(mean, (list, tuple)) or len(mean) < 2:
        return ()
    for step in later_steps:
        step_class = _step_class(step, cfg)
        if '/' in str(step.get('type')):
            # One of another package, as torchvision/Grayscale.
            return ()
        package = str(getattr(step_class, '__module__', '')).split('.')[0]
        if package not in HOSTS or step_class.__name__ in CHANGING:
            return ()
    if cfg.get('default_scope') == 'mmpretrain':
        return (1, len(mean))
    return (len(mean),)
