"""Paired timings in one run: ratios mean something on a noisy machine, seconds do not."""

from __future__ import annotations

import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias

import torch

from mmal.utils.gpu_memory import peak_bytes, reset_peak

Record: TypeAlias = dict[str, Any]
"""One line of ``results.json``, see :func:`record`."""

PACKAGES = (
    'torch',
    'onedl-mmengine',
    'onedl-mmcv',
    'onedl-mmdetection',
    'onedl-mmpretrain',
    'pyDVL',
)
"""Packages whose versions stand beside a measurement."""


@dataclass(frozen=True)
class Sizes:
    """Where and on what is measured.

    Attributes:
        device: 'cpu' or 'cuda'.
        height: Height of the images that detectors get, in pixels.
        width: Width of these images.
        batch: Number of these images.
        small: Whether the figures mean nothing, and it is tried alone that the code runs.
        warm_up: Number of calls of each way that do not count.
    """

    device: str
    height: int
    width: int
    batch: int
    small: bool = False
    warm_up: int = 1


def sizes_for(device: str, small: bool = False) -> Sizes:
    """Choose the sizes for a device.

    Args:
        device: 'cpu' or 'cuda'.
        small: Whether to try alone that the code runs. Defaults to False.
    """
    if small:
        return Sizes(device, height=96, width=128, batch=2, small=True)
    if device == 'cpu':
        return Sizes(device, height=512, width=512, batch=4)
    # The first calls load CUDA's libraries and choose cuDNN's algorithms.
    return Sizes(device, height=800, width=1333, batch=8, warm_up=3)


def interleaved(
    ways: dict[str, Callable[[], object]], n: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Time several ways to do the same, turn by turn.

    A GPU works behind Python's back: the clock is read when it has nothing left to do.

    Args:
        ways: Functions by name.
        n: Number of timed calls of each.
        warm_up: Number of calls before these, which do not count. Defaults to 1.

    Returns:
        Seconds of the calls by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(warm_up + n):
        for name, way in ways.items():
            _synchronize()
            start = time.perf_counter()
            way()
            _synchronize()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def gpu_peaks(ways: dict[str, Callable[[], object]], device: str) -> dict[str, Any]:
    """Measure the most GPU memory that tensors take in one call of each way.

    Args:
        ways: Functions by name. What they keep, such as the model, counts in all of them.
        device: 'cpu' or 'cuda'.

    Returns:
        ``gpu_mib``, by name in MiB, to be kept in a record; nothing on a processor.
    """
    if device == 'cpu':
        return {}
    peaks = {}
    for name, way in ways.items():
        reset_peak()
        way()
        peaks[name] = round(peak_bytes() / 2**20)
    return dict(gpu_mib=peaks)


def _synchronize() -> None:
    """Wait for what the GPU still has to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_mib() -> float:
    """Peak resident memory of this process in MiB, libraries included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def output_of(module: str, *arguments: object) -> str:
    """Run a module in a process of its own, so that its memory is its own, too.

    Args:
        module: Name of the module.
        arguments: Arguments of its command line.

    Returns:
        The last line it printed.

    Raises:
        CalledProcessError: If it failed.
    """
    command = [sys.executable, '-m', module, *map(str, arguments)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout.splitlines()[-1]


def machine() -> dict[str, Any]:
    """Describe the machine that this runs on."""
    described = dict(
        cpu=_cpu_name(), threads=torch.get_num_threads(), python=platform.python_version()
    )
    if torch.cuda.is_available():
        described.update(
            gpu=torch.cuda.get_device_name(),
            gpus=torch.cuda.device_count(),
            driver=_driver_version(),
            cuda=torch.version.cuda,
            cudnn=torch.backends.cudnn.version(),
        )
    return described


def _driver_version() -> str:
    command = ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader']
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'
    return answer.splitlines()[0].strip()


def _cpu_name() -> str:
    cpuinfo = Path('/proc/cpuinfo')
    # Only Linux has this file.
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':')[1].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Look up the versions of those of :data:`PACKAGES` that are installed."""
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed


def commit() -> str:
    """Name the commit that is checked out; 'unknown' outside of a repository."""
    command = ['git', 'describe', '--always', '--dirty']
    described = subprocess.run(command, capture_output=True, text=True, check=False)
    return described.stdout.strip() or 'unknown'


def record(name: str, ratio: float | None, target: str, n: int, **more: Any) -> Record:
    """Make one line of ``results.json``.

    Args:
        name: What is measured.
        ratio: The measured ratio; None if there is none.
        target: Where the ratio should lie, for instance '<= 1.10', or 'none'.
        n: Number of repetitions.
        **more: What else is worth keeping.
    """
    if ratio is not None:
        ratio = round(ratio, 3)
    return dict(
        name=name,
        ratio=ratio,
        target=target,
        n=n,
        machine=machine(),
        versions=versions(),
        commit=commit(),
        command=' '.join(sys.argv),
        **more,
    )


def ratio_record(
    name: str, target: str, seconds: dict[str, list[float]], over: str, under: str, **more: Any
) -> Record:
    """Make a record of the ratio of two ways' medians, with the medians.

    Args:
        name: What is measured.
        target: Where the ratio should lie.
        seconds: Result of :func:`interleaved`.
        over: Name of the way whose median is divided.
        under: Name of the way whose median divides.
        **more: What else is worth keeping.
    """
    median_over = statistics.median(seconds[over])
    median_under = statistics.median(seconds[under])
    return record(
        name,
        median_over / median_under,
        target,
        len(seconds[over]),
        over=over,
        under=under,
        median_seconds={over: round(median_over, 4), under: round(median_under, 4)},
        **more,
    )
