"""Paired timings in one run: ratios mean something on a noisy machine, seconds do not."""

from __future__ import annotations

import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias

import torch

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


def interleaved(ways: dict[str, Callable[[], object]], n: int) -> dict[str, list[float]]:
    """Time several ways to do the same, turn by turn.

    Args:
        ways: Functions by name. Each is called once before, which does not count.
        n: Number of timed calls of each.

    Returns:
        Seconds of the calls by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(n + 1):
        for name, way in ways.items():
            _synchronize()
            start = time.perf_counter()
            way()
            _synchronize()
            if turn > 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


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
    gpu = None
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_name()
    return dict(
        cpu=_cpu_name(),
        threads=torch.get_num_threads(),
        gpu=gpu,
        python=platform.python_version(),
    )


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
