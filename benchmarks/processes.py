"""Images per second of one scoring pass with two processes over that with one, a thread each."""

from __future__ import annotations

import statistics

from benchmarks.harness import Record, record
from benchmarks.scoring_pass import MODEL, passes

IMAGES = 3000
"""Number of images; enough that the start of a pass hardly counts."""


def records(n: int, images: int = IMAGES) -> list[Record]:
    """Time one process and two, turn by turn, so that both meet the same machine.

    It means something on two free cores alone.

    Args:
        n: Number of repetitions.
        images: Number of images of the pool.
    """
    by_one: list[float] = []
    by_two: list[float] = []
    for _ in range(n):
        by_one.append(passes(1, images)[0].seconds)
        by_two.append(passes(2, images)[0].seconds)
    one = statistics.median(by_one)
    two = statistics.median(by_two)
    line = record(
        'images a second of a scoring pass: 2 processes / 1, a thread each',
        one / two,
        '>= 1.8',
        n,
        median_seconds={'1 processes': round(one, 2), '2 processes': round(two, 2)},
        images=images,
        images_per_second={'1': round(images / one, 1), '2': round(images / two, 1)},
        model=f'{MODEL}, 64 x 64',
    )
    return [line]
