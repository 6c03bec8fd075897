"""Peak memory and seconds of k-center greedy at COCO's size: python -m benchmarks.coreset N prints MiB and seconds."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import torch

from benchmarks.harness import record

IMAGES, WIDTH, LABELED, CHOSEN = 118_000, 512, 5_000, 1_000
LIMIT_MIB = 2e9 / 2**20


def measure(images: int) -> tuple[float, float]:
    """Choose from random features; peak resident memory in MiB and seconds."""
    from mmal.samplers.kcenter import kcenter_greedy
    points, centers = torch.rand(images, WIDTH), torch.rand(LABELED, WIDTH)
    start = time.perf_counter()
    kcenter_greedy(points, centers, CHOSEN)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.perf_counter() - start


def records(n: int) -> list[dict]:
    out = subprocess.run([sys.executable, '-m', 'benchmarks.coreset', str(IMAGES)], capture_output=True, text=True,
                         check=True).stdout.split()
    return [record(f'k-center greedy, {IMAGES:,} x {WIDTH} features, {CHOSEN:,} chosen: peak memory / 2 GB',
                   float(out[-2]) / LIMIT_MIB, '<= 1.00', 1, peak_mib=round(float(out[-2])),
                   median_seconds={'ours': round(float(out[-1]), 1)}, labeled=LABELED)]


if __name__ == '__main__':
    print(*measure(int(sys.argv[1])))
