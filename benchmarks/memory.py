"""Peak memory of scoring, for pools of two sizes.

It is measured of a process that is alone, and of each of two.
"""

from __future__ import annotations

import statistics

from benchmarks.harness import Record, record
from benchmarks.scoring_pass import MODEL, passes

SMALL = 200
LARGE = 2000


def records(n: int) -> list[Record]:
    """Measure what a larger pool costs in memory.

    Args:
        n: Number of repetitions.
    """
    small: dict[str, list[float]] = {}
    large: dict[str, list[float]] = {}
    for _ in range(n):
        for peaks, images in ((small, SMALL), (large, LARGE)):
            for process, mib in _peaks(images).items():
                peaks.setdefault(process, []).append(mib)
    lines = []
    for process in small:
        small_peak = statistics.median(small[process])
        large_peak = statistics.median(large[process])
        line = record(
            f'peak memory while scoring, pool of {LARGE} / pool of {SMALL}{process}',
            large_peak / small_peak,
            '0.95 to 1.05',
            n,
            median_mib={str(SMALL): round(small_peak), str(LARGE): round(large_peak)},
            model=f'{MODEL}, 64 x 64',
        )
        lines.append(line)
    return lines


def _peaks(images: int) -> dict[str, float]:
    """Peak memory in MiB by the process it is of, for a pool of so many images."""
    (alone,) = passes(1, images)
    peaks = {'': alone.mib}
    for rank, measurement in enumerate(passes(2, images)):
        peaks[f', rank {rank} of 2 processes'] = measurement.mib
    return peaks
