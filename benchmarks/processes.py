"""Images per second of one scoring pass with two processes over that with one, a thread each."""

from __future__ import annotations

import statistics

from benchmarks.harness import record
from benchmarks.scoring_pass import MODEL, passes

IMAGES = 3000  # long enough that the start of a pass hardly counts


def records(n: int, images: int = IMAGES) -> list[dict]:
    """Turn by turn, so that both meet the same machine. It means something on two free cores alone."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(n):
        for world, found in seconds.items():
            found.append(passes(world, images)[0][0])
    medians = {world: statistics.median(found) for world, found in seconds.items()}
    return [
        record(
            'images a second of a scoring pass: 2 processes / 1, a thread each',
            medians[1] / medians[2],
            '>= 1.8',
            n,
            median_seconds={f'{w} processes': round(s, 2) for w, s in medians.items()},
            images=images,
            images_per_second={str(w): round(images / s, 1) for w, s in medians.items()},
            model=f'{MODEL}, 64 x 64',
        )
    ]
