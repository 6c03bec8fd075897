"""What a result depends on beside the settings: package versions, device, processor, threads."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import distributions

PACKAGES = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmdetection', 'mmpretrain', 'mmal')
"""Packages that a result depends on; those of onedl's stack have ``onedl-`` before the name."""


def collect_env() -> dict[str, str]:
    """Describe the environment of this process.

    Returns:
        Versions of the packages by name, ``device`` (its kind), ``processor`` (its instruction
        set), ``threads`` (those that torch computes with), and of GPUs what :func:`describe_gpus`
        tells.
    """
    import torch
    from mmengine.device import get_device

    return dict(
        package_versions(),
        device=get_device(),
        processor=torch.backends.cpu.get_cpu_capability(),
        threads=str(torch.get_num_threads()),
        **describe_gpus(),
    )


def describe_gpus() -> dict[str, str]:
    """Describe the GPUs of this machine, and the flags that change their sums.

    Returns:
        ``gpu`` (names of those that this process sees, each with its number), ``cuda`` and
        ``cudnn`` (versions), and :func:`~mmal.utils.float32.float32_flags`. Empty without a GPU.
    """
    import torch

    from .float32 import float32_flags

    if not torch.cuda.is_available():
        return {}
    counts: Counter[str] = Counter()
    for index in range(torch.cuda.device_count()):
        counts[torch.cuda.get_device_name(index)] += 1
    names = [f'{count} x {name}' for name, count in sorted(counts.items())]
    return dict(
        gpu=', '.join(names),
        cuda=str(torch.version.cuda),
        cudnn=str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        **float32_flags(),
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
