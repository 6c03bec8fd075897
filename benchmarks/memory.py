"""Peak memory of scoring, for pools of two sizes: of a process that is alone, and of each of two."""

from __future__ import annotations

import statistics

from benchmarks.harness import record
from benchmarks.scoring_pass import MODEL, passes


def records(n: int) -> list[dict]:
    peaks: dict[str, dict[int, list[float]]] = {}
    for _ in range(n):
        for size in (200, 2000):
            for world in (1, 2):
                for rank, (_, mib) in enumerate(passes(world, size)):
                    who = '' if world == 1 else f', rank {rank} of 2 processes'
                    peaks.setdefault(who, {}).setdefault(size, []).append(mib)
    found = []
    for who, by_size in peaks.items():
        medians = {size: statistics.median(mib) for size, mib in by_size.items()}
        found.append(
            record(
                f'peak memory while scoring, pool of 2000 / pool of 200{who}',
                medians[2000] / medians[200],
                '0.95 to 1.05',
                n,
                median_mib={str(k): round(v) for k, v in medians.items()},
                model=f'{MODEL}, 64 x 64',
            )
        )
    return found
