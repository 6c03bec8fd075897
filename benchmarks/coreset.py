"""Peak memory and seconds of CoresetSampler at COCO's size.

python -m benchmarks.coreset N prints both for N unlabeled images, MiB first.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from logging import getLogger
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.harness import Record, output_of, peak_mib, record
from mmal.samplers import pool_pass
from mmal.samplers.base import BaseSampler, Query
from mmal.samplers.coreset import CoresetSampler

IMAGES = 118_000
WIDTH = 512
LABELED = 5_000
CHOSEN = 1_000
LIMIT_MIB = 2e9 / 2**20


class RandomFeatures:
    """Stands for a model adapter: a random feature for each image, whatever is on it.

    Attributes:
        model: A model on the processor, where the images are then chosen.
    """

    model = nn.Linear(1, 1)

    def features(self, items: list[Any], layers: list[str] | None) -> torch.Tensor:
        """Draw features of shape (N, WIDTH).

        Args:
            items: The images.
            layers: Not used.
        """
        return torch.rand(len(items), WIDTH)


def measure(images: int, labeled: int = LABELED, chosen: int = CHOSEN) -> tuple[float, float]:
    """Answer a query as in a round, with files of findings as in a pass of hours.

    Args:
        images: Number of unlabeled images.
        labeled: Number of labeled images. Defaults to 5000.
        chosen: Number of images to choose. Defaults to 1000.

    Returns:
        Peak memory in MiB, and seconds.
    """
    seconds = seconds_to_choose(CoresetSampler(), RandomFeatures, images, labeled, chosen)
    return peak_mib(), seconds


def seconds_to_choose(
    sampler: BaseSampler, adapter: Callable[[], Any], images: int, labeled: int, chosen: int
) -> float:
    """Time the answer to a query.

    Args:
        sampler: The sampler.
        adapter: Makes what stands for a model adapter.
        images: Number of unlabeled images.
        labeled: Number of labeled images.
        chosen: Number of images to choose.
    """
    pool_pass.FLUSH_SECONDS = 0.5
    torch.manual_seed(0)
    ids = list(range(images + labeled))
    row_of_id = {i: i for i in ids}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        query = Query(
            round=0,
            seed=0,
            ids=ids[labeled:],
            labeled=ids[:labeled],
            budget=chosen,
            folder=folder,
            pass_dir=folder / 'passes',
            images=lambda: (ids, row_of_id),
            labeled_images=lambda: None,
            adapter=adapter,
            batch_size=256,
            num_workers=0,
            logger=getLogger(),
        )
        start = time.perf_counter()
        scores = sampler.score(query)
        seconds = time.perf_counter() - start
    assert len(set(scores.order)) == chosen
    assert len(scores.value) == images
    return seconds


def records(n: int) -> list[Record]:
    """Measure once, in a process of its own.

    Args:
        n: Not used: it is measured once.
    """
    mib, seconds = map(float, output_of('benchmarks.coreset', IMAGES).split())
    line = record(
        f'CoresetSampler, {IMAGES:,} x {WIDTH} features, {CHOSEN:,} chosen: peak memory / 2 GB',
        mib / LIMIT_MIB,
        '<= 1.00',
        1,
        peak_mib=round(mib),
        median_seconds={'ours': round(seconds, 1)},
        labeled=LABELED,
    )
    return [line]


if __name__ == '__main__':
    print(*measure(int(sys.argv[1])))
