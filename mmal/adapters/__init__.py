"""The only place that knows mmdet and mmpretrain: everything a loop, hook or sampler asks of it goes through here."""

from __future__ import annotations

from mmal.errors import InputError


def _is_classification(cfg) -> bool:
    scope = cfg.get('default_scope', 'mmengine')
    if scope not in ('mmdet', 'mmpretrain'):
        raise InputError(
            f"mmal knows the tasks of default_scope 'mmdet' and 'mmpretrain', but this config has "
            f'{scope!r}. Inherit from a config of mmdet or mmpretrain, or set default_scope.'
        )
    return scope == 'mmpretrain'


def build_data_adapter(cfg):
    """The data side of the task a config describes; see :class:`~mmal.adapters.base.DataAdapter`."""
    if _is_classification(cfg):
        from mmal.adapters.classification.data import ClassificationDataAdapter

        return ClassificationDataAdapter(cfg)
    from mmal.adapters.detection.data import DetectionDataAdapter

    return DetectionDataAdapter(cfg)


def build_model_adapter(model, cfg):
    """The model side of the task a config describes; see :class:`~mmal.adapters.base.ModelAdapter`."""
    if _is_classification(cfg):
        from mmal.adapters.classification.model import ClassificationAdapter

        return ClassificationAdapter(model)
    from mmal.adapters.detection.model import DetectionAdapter

    return DetectionAdapter(model)


def several_labels(cfg) -> bool:
    """Whether an image may have several labels, as the head of a config's classifier has it; never of detectors."""
    if not _is_classification(cfg):
        return False
    from mmal.adapters.classification.heads import head_takes_several

    return head_takes_several(cfg)


__all__ = ['build_data', 'build_task', 'several_labels']
