"""The config file of a project, to be edited by people."""

from __future__ import annotations

import functools
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from mmal.pool.budget import DEFAULT_HOLDOUT, holdout_size
from mmal.utils.num_classes import overrides

from .base_config import BaseConfig, DatasetLocation, type_name
from .repetition import find_repetition
from .settings import Numbers

COLD_STARTS = {
    'random': "'random'",
    'herding': "dict(type='mmal.HerdingSampler', layers=['backbone'], target_share=0.5)",
    'coreset': "dict(type='mmal.CoresetSampler', layers=['backbone'])",
}
"""``train_cfg.cold_start`` for each way to choose the first images."""

PARTS_WITH_CLASSES = ('model', 'data_preprocessor')
"""Parts of a config that may have ``num_classes``."""


def config_text(
    base: BaseConfig,
    image_root: str,
    classes: list[str],
    n_images: int,
    numbers: Numbers,
    labeled_file: str | None = None,
) -> str:
    """Write the config of a project.

    Args:
        base: Config that it inherits.
        image_root: Absolute path of the folder that all images are below.
        classes: Class names.
        n_images: Number of images in the pool.
        numbers: Settings of the loop.
        labeled_file: Name of the file of labels that exist already, in the project. Defaults to
            None: there are none.

    Returns:
        The text of ``config.py``.
    """
    train_keys = base.train.keys
    n_trained = numbers.initial - holdout_size(numbers.initial, DEFAULT_HOLDOUT)
    return _template().render(
        base_hooks=[hook.get('type') for hook in base.cfg.get('custom_hooks') or []],
        base_keys=list(base.cfg),
        base_name=base.name,
        boxes=base.boxes,
        classes=tuple(classes),
        cold_start=COLD_STARTS[numbers.cold_start],
        filter_empty_gt=bool(base.train.filter_cfg.get('filter_empty_gt', False)),
        labeled_file=labeled_file,
        image_folder=image_root.rstrip('/') + '/',
        length=base.length,
        multi_label=base.multi_label,
        n_images=n_images,
        needs_test_cfg=base.cfg.get('test_cfg') is None,
        num_classes=_num_classes(base, len(classes)),
        numbers=numbers,
        repetition=find_repetition(base, n_trained),
        test_name=base.test_name,
        test_pipeline=_pipeline(base.test),
        train_pipeline=_pipeline(base.train),
        train_wrappers=''.join(f'dict({key}=' for key in train_keys),
        train_wrappers_end=')' * len(train_keys),
    )


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters['python'] = repr
    return environment.get_template('config.py.j2')


def _num_classes(base: BaseConfig, n_classes: int) -> dict[str, str]:
    """Expressions that set the number of classes, by part of the config."""
    texts = {}
    for part in PARTS_WITH_CLASSES:
        text = overrides(base.cfg.get(part), f'_base_.{part}', n_classes)
        if text:
            texts[part] = text
    return texts


def _pipeline(location: DatasetLocation) -> str:
    """Expression for a pipeline that loads files, even if the base has its images in memory."""
    if any('Load' in type_name(step.get('type')) for step in location.steps):
        return location.pipeline
    return f"[dict(type='LoadImageFromFile'), *{location.pipeline}]"
