"""One scoring pass as a round makes it, by a group of processes that is started for it.

Each process has one thread.

python -m benchmarks.scoring_pass N RANK WORLD FILE scores N images as one of WORLD; it prints
seconds and MiB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from logging import getLogger
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from torch.utils.data import Dataset

from benchmarks.harness import peak_mib
from mmal.adapters.base import ModelAdapter
from mmal.adapters.detection.model import DetectionAdapter
from mmal.fileio.tensors import save_tensors
from mmal.run.layout import RoundPaths
from mmal.samplers.base import Query
from mmal.samplers.influence import InfluenceSampler

MODEL = 'configs/_base_/fcos_tiny.py'
WARM_UP_IMAGES = 32


class Measurement(NamedTuple):
    """What one process of a pass measured.

    Attributes:
        seconds: Duration of the whole pass.
        mib: Peak resident memory of the process in MiB.
    """

    seconds: float
    mib: float


class Noise(Dataset[dict[str, Any]]):
    """Images of noise, 64 x 64, made when asked for.

    Args:
        n: Number of images.
    """

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, row: int) -> dict[str, Any]:
        shape = dict(img_shape=(64, 64), ori_shape=(64, 64), scale_factor=(1.0, 1.0))
        sample = DetDataSample(metainfo=dict(img_id=row, **shape))
        generator = torch.Generator().manual_seed(row)
        pixels = torch.randint(0, 255, (3, 64, 64), generator=generator, dtype=torch.uint8)
        return dict(inputs=pixels, data_samples=sample)


def measure(n: int, rank: int, world: int, meeting: Path) -> Measurement:
    """Score this process's share of a pool.

    Args:
        n: Number of images of the pool.
        rank: Rank of this process.
        world: Number of processes.
        meeting: File by which the processes find each other. What they write lies beside it.
    """
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{meeting}', rank=rank, world_size=world
    )
    folder = meeting.parent
    adapter = _adapter()
    if rank == 0:
        _write_s_test(adapter, folder)
    warm_up = _query(adapter, WARM_UP_IMAGES, folder, folder / 'warm')
    timed = _query(adapter, n, folder, folder / 'timed')
    torch.distributed.barrier()
    InfluenceSampler().score(warm_up)
    torch.distributed.barrier()
    start = time.perf_counter()
    InfluenceSampler().score(timed)
    torch.distributed.barrier()
    seconds = time.perf_counter() - start
    torch.distributed.destroy_process_group()
    return Measurement(seconds, peak_mib())


def _adapter() -> ModelAdapter:
    """A small detector with random weights."""
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(MODEL).model)
    return DetectionAdapter(model, print)


def _write_s_test(adapter: ModelAdapter, folder: Path) -> None:
    """Write a random s_test of the head's last layers."""
    s_test = {}
    for name, parameter in adapter.model.named_parameters():
        if 'bbox_head.conv_' in name:
            s_test[name] = torch.randn_like(parameter)
    save_tensors(RoundPaths(folder).artifact('s_test'), s_test)


def _query(adapter: ModelAdapter, images: int, folder: Path, pass_dir: Path) -> Query:
    """A query for so many images of noise."""
    row_of_id = {i: i for i in range(images)}
    return Query(
        round=0,
        seed=0,
        ids=list(range(images)),
        labeled=[],
        budget=10,
        folder=folder,
        pass_dir=pass_dir,
        images=lambda: (Noise(images), row_of_id),
        labeled_images=lambda: Noise(0),
        adapter=lambda: adapter,
        batch_size=8,
        num_workers=0,
        logger=getLogger(),
    )


def passes(world: int, images: int) -> list[Measurement]:
    """Make one pass by new processes.

    Args:
        world: Number of processes.
        images: Number of images of the pool.

    Returns:
        What each process measured, by rank.

    Raises:
        RuntimeError: If a process failed. Its own message stands above in the output.
    """
    env = dict(os.environ, OMP_NUM_THREADS='1')
    group = []
    with tempfile.TemporaryDirectory() as folder:
        for rank in range(world):
            command = [sys.executable, '-m', 'benchmarks.scoring_pass']
            command += [str(images), str(rank), str(world), f'{folder}/meeting']
            process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
            group.append(process)
        outputs = [process.communicate()[0] for process in group]
    if any(process.returncode for process in group):
        raise RuntimeError(f'A scoring process of {world} failed; what it said stands above.')
    measurements = []
    for output in outputs:
        seconds, mib = output.split()[-2:]
        measurements.append(Measurement(float(seconds), float(mib)))
    return measurements


def main() -> None:
    """Measure as the command line asks."""
    n, rank, world = map(int, sys.argv[1:4])
    torch.set_num_threads(1)
    print(*measure(n, rank, world, Path(sys.argv[4])))


if __name__ == '__main__':
    main()
