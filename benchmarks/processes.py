"""Images per second of one scoring pass with two processes over that with one, a thread each."""

from __future__ import annotations

import statistics

import torch

from benchmarks.harness import Record, Sizes, record
from benchmarks.scoring_pass import Work, large_work, passes

IMAGES = 3000
"""Number of images; enough that the start of a pass hardly counts."""

LARGE_IMAGES = 400
"""Number of images of 800 x 1333."""


def records(n: int) -> list[Record]:
    """Measure small images on a processor. It means something on two free cores alone.

    Args:
        n: Number of repetitions.
    """
    return _records(n, IMAGES, Work())


def gpu_records(n: int, sizes: Sizes) -> list[Record]:
    """Measure FCOS-R50; by two processes where there are two GPUs.

    Args:
        n: Number of repetitions.
        sizes: Device and images.
    """
    images = 2 * sizes.batch if sizes.small else LARGE_IMAGES
    return _records(n, images, large_work(sizes))


def _records(n: int, images: int, work: Work) -> list[Record]:
    """Time one process and two, turn by turn, so that both meet the same machine."""
    worlds = [1, 2]
    if work.device == 'cuda' and torch.cuda.device_count() < 2:
        worlds = [1]
    seconds: dict[int, list[float]] = {world: [] for world in worlds}
    gpu_mib = 0.0
    for _ in range(n):
        for world in worlds:
            measured = passes(world, images, work)
            seconds[world].append(measured[0].seconds)
            gpu_mib = max(gpu_mib, *(measurement.gpu_mib for measurement in measured))
    medians = {world: statistics.median(times) for world, times in seconds.items()}
    more = {}
    if gpu_mib:
        more = dict(gpu_mib={'each': round(gpu_mib)})
    line = record(
        _name(work, worlds),
        medians[1] / medians[2] if 2 in medians else None,
        '>= 1.8' if 2 in medians else 'none',
        n,
        median_seconds={f'{world} processes': round(m, 2) for world, m in medians.items()},
        images=images,
        images_per_second={str(world): round(images / m, 1) for world, m in medians.items()},
        device=work.device,
        model=work.name,
        **more,
    )
    return [line]


def _name(work: Work, worlds: list[int]) -> str:
    name = 'images a second of a scoring pass: 2 processes / 1, a thread each'
    if work.device == 'cuda':
        name = 'images a second of a scoring pass of FCOS-R50: 2 processes / 1, a GPU each'
        if len(worlds) == 1:
            name += ' (there is one GPU: the second is missing)'
    return name
