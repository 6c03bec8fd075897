"""Paired timings in one run: ratios mean something on a noisy machine, seconds do not."""

from __future__ import annotations

import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import torch

PACKAGES = (
    'torch',
    'onedl-mmengine',
    'onedl-mmcv',
    'onedl-mmdetection',
    'onedl-mmpretrain',
    'pyDVL',
)


def interleaved(ways: dict[str, Callable[[], object]], n: int) -> dict[str, list[float]]:
    """Seconds of n calls of each, turn by turn, after one call of each that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(n + 1):
        for name, way in ways.items():
            _synchronize()
            start = time.perf_counter()
            way()
            _synchronize()
            if i:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def machine() -> dict:
    """Where this runs."""
    cpu = platform.processor() or platform.machine()
    try:
        with open('/proc/cpuinfo') as f:
            cpu = next(line.split(':')[1].strip() for line in f if line.startswith('model name'))
    except (OSError, StopIteration):
        pass  # not Linux
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return dict(cpu=cpu, threads=torch.get_num_threads(), gpu=gpu, python=platform.python_version())


def versions() -> dict:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    found = subprocess.run(
        ['git', 'describe', '--always', '--dirty'], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or 'unknown'


def record(name: str, ratio: float | None, target: str, n: int, **more) -> dict:
    """One line of ``results.json``."""
    return dict(
        name=name,
        ratio=None if ratio is None else round(ratio, 3),
        target=target,
        n=n,
        machine=machine(),
        versions=versions(),
        commit=commit(),
        **more,
    )


def ratio_record(
    name: str, target: str, seconds: dict[str, list[float]], over: str, under: str, **more
) -> dict:
    """Ratio of the medians of two ways, with the medians."""
    medians = {k: statistics.median(v) for k, v in seconds.items()}
    return record(
        name,
        medians[over] / medians[under],
        target,
        len(seconds[over]),
        over=over,
        under=under,
        median_seconds={k: round(medians[k], 4) for k in (over, under)},
        **more,
    )
