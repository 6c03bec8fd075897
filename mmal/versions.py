"""Versions of the packages that a result depends on."""

from __future__ import annotations

from importlib.metadata import distributions

WANTED = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmdetection', 'mmpretrain', 'mmal')


def versions() -> dict[str, str]:
    """By name, of those that are installed."""
    return {d.name: d.version for d in distributions() if d.name.removeprefix('onedl-') in WANTED}
