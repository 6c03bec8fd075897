"""Images per second of one scoring pass with two processes over that with one, a thread each.

python -m benchmarks.processes N RANK WORLD FILE scores N images as one of WORLD processes; rank 0 prints the seconds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from logging import getLogger
from pathlib import Path

import torch

from benchmarks.harness import record

IMAGES = 3000  # long enough that the start of a pass hardly counts


def measure(n: int, rank: int, world: int, meeting: str) -> float:
    """Seconds that n images of 64 x 64 take a small detector, when each process scores its share."""
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules
    from mmengine.config import Config

    from benchmarks.memory import Noise
    from mmal.artifacts import save_tensors
    from mmal.samplers import InfluenceSampler, Query
    from mmal.tasks.detection import DetectionTask
    torch.distributed.init_process_group('gloo', init_method=f'file://{meeting}', rank=rank, world_size=world)
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile('configs/_base_/fcos_tiny.py').model)
    task, folder, seconds = DetectionTask(model, print), Path(meeting).parent, 0.0
    params = {k: p for k, p in model.named_parameters() if 'bbox_head.conv_' in k}
    if rank == 0:
        save_tensors(folder / 's_test.pth', {k: torch.randn_like(p) for k, p in params.items()})
    for part, size in (('warm', 32), ('timed', n)):
        query = Query(round=0, seed=0, ids=list(range(size)), labeled=[], budget=10, folder=folder,
                      passes=folder / part, images=lambda size=size: (Noise(size), {i: i for i in range(size)}),
                      labeled_images=lambda: None, task=lambda: task, batch_size=8, num_workers=0, logger=getLogger())
        torch.distributed.barrier()
        start = time.perf_counter()
        InfluenceSampler().score(query)
        torch.distributed.barrier()
        seconds = time.perf_counter() - start
    torch.distributed.destroy_process_group()
    return seconds


def seconds_of(world: int, images: int) -> float:
    """Of one pass of a group that is started for it."""
    env = dict(os.environ, OMP_NUM_THREADS='1')
    with tempfile.TemporaryDirectory() as folder:
        group = [subprocess.Popen([sys.executable, '-m', 'benchmarks.processes', str(images), str(rank), str(world),
                                   f'{folder}/meeting'], env=env, stdout=subprocess.PIPE, text=True)
                 for rank in range(world)]
        said = [process.communicate()[0] for process in group]
    if any(process.returncode for process in group):
        raise RuntimeError(f'A scoring process of {world} failed; what it said stands above.')
    return float(said[0].split()[-1])


def records(n: int, images: int = IMAGES) -> list[dict]:
    """Turn by turn, so that both meet the same machine. It means something on two free cores alone."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(n):
        for world, found in seconds.items():
            found.append(seconds_of(world, images))
    medians = {world: statistics.median(found) for world, found in seconds.items()}
    return [record('images a second of a scoring pass: 2 processes / 1, a thread each', medians[1] / medians[2],
                   '>= 1.8', n, median_seconds={f'{w} processes': round(s, 2) for w, s in medians.items()},
                   images=images, images_per_second={str(w): round(images / s, 1) for w, s in medians.items()},
                   model='configs/_base_/fcos_tiny.py, 64 x 64')]


if __name__ == '__main__':
    torch.set_num_threads(1)
    print(measure(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
