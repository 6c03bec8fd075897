"""What a result depends on beside the settings: package versions, device, processor, threads."""

from __future__ import annotations

from importlib.metadata import distributions

PACKAGES = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmdetection', 'mmpretrain', 'mmal')
"""Packages that a result depends on; those of onedl's stack have ``onedl-`` before the name."""


def collect_env() -> dict[str, str]:
    """Describe the environment of this process.

    Returns:
        Versions of the packages by name, and ``device`` (its kind), ``processor`` (its instruction
        set) and ``threads`` (those that torch computes with).
    """
    import torch
    from mmengine.device import get_device

    return dict(
        package_versions(),
        device=get_device(),
        processor=torch.backends.cpu.get_cpu_capability(),
        threads=str(torch.get_num_threads()),
    )


def package_versions() -> dict[str, str]:
    """Find the versions of the packages that a result depends on.

    Returns:
        Version by name, of the packages that are installed.
    """
    versions = {}
    for distribution in distributions():
        if distribution.name.removeprefix('onedl-') in PACKAGES:
            versions[distribution.name] = distribution.version
    return versions
