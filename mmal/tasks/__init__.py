"""The only place that knows mmdet: everything a loop, hook or sampler asks of it goes through here."""

from __future__ import annotations

from ..errors import InputError


def _check_scope(cfg) -> None:
    scope = cfg.get('default_scope', 'mmengine')
    if scope != 'mmdet':
        raise InputError(f"mmal knows the task of default_scope 'mmdet', but this config has {scope!r}. "
                         "Inherit from an mmdet config, or set default_scope = 'mmdet'.")


def build_data(cfg):
    """The data side of the task a config describes; see :class:`~mmal.tasks.base.TaskData`."""
    _check_scope(cfg)
    from .detection_data import DetectionData
    return DetectionData(cfg)


def build_task(model, cfg):
    """The model side of the task a config describes; see :class:`~mmal.tasks.base.Task`."""
    _check_scope(cfg)
    from .detection import DetectionTask
    return DetectionTask(model)


__all__ = ['build_data', 'build_task']
