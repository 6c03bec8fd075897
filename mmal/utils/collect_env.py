"""Versions of the packages that a result depends on."""

from __future__ import annotations

from importlib.metadata import distributions

import torch
from mmengine.device import get_device


def collect_env() -> dict[str, str]:
    """Versions of the libraries, the kind of device, the processor's instructions and torch's threads in a process."""
    return dict(
        package_versions(),
        device=get_device(),
        processor=torch.backends.cpu.get_cpu_capability(),
        threads=str(torch.get_num_threads()),
    )


WANTED = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmdetection', 'mmpretrain', 'mmal')


def package_versions() -> dict[str, str]:
    """By name, of those that are installed."""
    return {d.name: d.version for d in distributions() if d.name.removeprefix('onedl-') in WANTED}
