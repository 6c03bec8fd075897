"""Peak memory and seconds of CoresetSampler at COCO's size: python -m benchmarks.coreset N prints MiB and seconds."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from logging import getLogger
from pathlib import Path

import torch

from benchmarks.harness import record

IMAGES, WIDTH, LABELED, CHOSEN = 118_000, 512, 5_000, 1_000
LIMIT_MIB = 2e9 / 2**20


class RandomFeatures:
    """Stands for a task and its model: a random feature for each image, whatever is on it."""

    def features(self, items: list, layers: list[str] | None) -> torch.Tensor:
        return torch.rand(len(items), WIDTH)


def measure(images: int, labeled: int = LABELED, chosen: int = CHOSEN) -> tuple[float, float]:
    """Answer a query as in a round, with files of findings as in a pass of hours; peak memory in MiB and seconds."""
    from mmal.samplers.base import Query
    from mmal.samplers.coreset import CoresetSampler

    import_module('mmal.samplers.pool_pass').FLUSH_SECONDS = 0.5
    torch.manual_seed(0)
    ids = list(range(images + labeled))
    with tempfile.TemporaryDirectory() as folder:
        query = Query(
            round=0,
            seed=0,
            ids=ids[labeled:],
            labeled=ids[:labeled],
            budget=chosen,
            folder=Path(folder),
            pass_dir=Path(folder) / 'passes',
            images=lambda: (ids, {i: i for i in ids}),
            labeled_images=lambda: None,
            adapter=RandomFeatures,
            batch_size=256,
            num_workers=0,
            logger=getLogger(),
        )
        start = time.perf_counter()
        scores = CoresetSampler().score(query)
        seconds = time.perf_counter() - start
    assert len(set(scores.order)) == chosen
    assert len(scores.value) == images
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, seconds


def records(n: int) -> list[dict]:
    out = subprocess.run(
        [sys.executable, '-m', 'benchmarks.coreset', str(IMAGES)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [
        record(
            f'CoresetSampler, {IMAGES:,} x {WIDTH} features, {CHOSEN:,} chosen: peak memory / 2 GB',
            float(out[-2]) / LIMIT_MIB,
            '<= 1.00',
            1,
            peak_mib=round(float(out[-2])),
            median_seconds={'ours': round(float(out[-1]), 1)},
            labeled=LABELED,
        )
    ]


if __name__ == '__main__':
    print(*measure(int(sys.argv[1])))
