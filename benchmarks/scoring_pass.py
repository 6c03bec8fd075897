"""One scoring pass as a round makes it, by a group of processes that is started for it.

Each process has one thread, and on a GPU one GPU.

python -m benchmarks.scoring_pass N RANK WORLD FILE WORK scores N images as one of WORLD; WORK is a
:class:`Work` as JSON. It prints seconds, MiB, and MiB of the GPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from logging import getLogger
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from torch.utils.data import Dataset

from benchmarks.harness import Sizes, peak_mib
from benchmarks.scoring import FCOS, random_detector, scene
from mmal.adapters.base import ModelAdapter
from mmal.adapters.detection.model import DetectionAdapter
from mmal.fileio.tensors import save_tensors
from mmal.run.layout import RoundPaths
from mmal.samplers.base import Query
from mmal.samplers.influence import InfluenceSampler
from mmal.utils.gpu_memory import peak_bytes

MODEL = 'configs/_base_/fcos_tiny.py'
WARM_UP_IMAGES = 32
DIFFERENT_SCENES = 8
"""Large images are these few again and again, so that making them does not count."""


@dataclass(frozen=True)
class Work:
    """What a pass does.

    Attributes:
        device: 'cpu' or 'cuda'.
        model: A config of ours, or one below mmdet's ``configs/``.
        height: Height of the images.
        width: Width of the images.
        batch: Images per batch.
    """

    device: str = 'cpu'
    model: str = MODEL
    height: int = 64
    width: int = 64
    batch: int = 8

    @property
    def name(self) -> str:
        """Model and size of the images."""
        return f'{self.model}, {self.height} x {self.width}'


def large_work(sizes: Sizes) -> Work:
    """FCOS-R50 with random weights.

    Args:
        sizes: Device and images.
    """
    return Work(sizes.device, FCOS, sizes.height, sizes.width, sizes.batch)


class Measurement(NamedTuple):
    """What one process of a pass measured.

    Attributes:
        seconds: Duration of the whole pass.
        mib: Peak resident memory of the process in MiB.
        gpu_mib: Peak GPU memory of its tensors in MiB; 0 without a GPU.
    """

    seconds: float
    mib: float
    gpu_mib: float


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


class Scenes(Dataset[dict[str, Any]]):
    """A few large images again and again.

    Args:
        n: Number of images.
        work: Their size.
    """

    def __init__(self, n: int, work: Work) -> None:
        self.n = n
        self._scenes = [scene(seed, work.height, work.width) for seed in range(DIFFERENT_SCENES)]

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, row: int) -> dict[str, Any]:
        shown = self._scenes[row % DIFFERENT_SCENES]
        sample = shown['data_samples'].clone()
        sample.set_metainfo(dict(img_id=row))
        return dict(inputs=shown['inputs'], data_samples=sample)


def measure(n: int, rank: int, world: int, meeting: Path, work: Work) -> Measurement:
    """Score this process's share of a pool.

    Args:
        n: Number of images of the pool.
        rank: Rank of this process.
        world: Number of processes.
        meeting: File by which the processes find each other. What they write lies beside it.
        work: Model and images.
    """
    backend = 'gloo'
    if work.device == 'cuda':
        backend = 'nccl'
        torch.cuda.set_device(rank)
    torch.distributed.init_process_group(
        backend, init_method=f'file://{meeting}', rank=rank, world_size=world
    )
    folder = meeting.parent
    adapter = _adapter(work)
    if rank == 0:
        _write_s_test(adapter, folder)
    warm_up_images = min(n, WARM_UP_IMAGES)
    warm_up = _query(adapter, warm_up_images, folder, folder / 'warm', work)
    timed = _query(adapter, n, folder, folder / 'timed', work)
    torch.distributed.barrier()
    InfluenceSampler().score(warm_up)
    torch.distributed.barrier()
    start = time.perf_counter()
    InfluenceSampler().score(timed)
    torch.distributed.barrier()
    seconds = time.perf_counter() - start
    torch.distributed.destroy_process_group()
    return Measurement(seconds, peak_mib(), peak_bytes() / 2**20)


def _adapter(work: Work) -> ModelAdapter:
    """A detector with random weights."""
    if work.model != MODEL:
        return DetectionAdapter(random_detector(work.model, work.device), print)
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(MODEL).model)
    return DetectionAdapter(model.to(work.device), print)


def _images(n: int, work: Work) -> Dataset[dict[str, Any]]:
    if work.model == MODEL:
        return Noise(n)
    return Scenes(n, work)


def _write_s_test(adapter: ModelAdapter, folder: Path) -> None:
    """Write a random s_test of the head's last layers."""
    s_test = {}
    for name, parameter in adapter.model.named_parameters():
        if 'bbox_head.conv_' in name:
            s_test[name] = torch.randn_like(parameter)
    save_tensors(RoundPaths(folder).artifact('s_test'), s_test)


def _query(adapter: ModelAdapter, images: int, folder: Path, pass_dir: Path, work: Work) -> Query:
    """A query for so many images of noise."""
    dataset = _images(images, work)
    row_of_id = {i: i for i in range(images)}
    return Query(
        round=0,
        seed=0,
        ids=list(range(images)),
        labeled=[],
        budget=10,
        folder=folder,
        pass_dir=pass_dir,
        images=lambda: (dataset, row_of_id),
        labeled_images=lambda: Noise(0),
        adapter=lambda: adapter,
        batch_size=work.batch,
        num_workers=0,
        logger=getLogger(),
    )


def passes(world: int, images: int, work: Work | None = None) -> list[Measurement]:
    """Make one pass by new processes.

    Args:
        world: Number of processes.
        images: Number of images of the pool.
        work: Model and images. Defaults to None: a small detector and small images.

    Returns:
        What each process measured, by rank.

    Raises:
        RuntimeError: If a process failed. Its own message stands above in the output.
    """
    as_json = json.dumps(asdict(work or Work()))
    env = dict(os.environ, OMP_NUM_THREADS='1')
    group = []
    with tempfile.TemporaryDirectory() as folder:
        for rank in range(world):
            command = [sys.executable, '-m', 'benchmarks.scoring_pass']
            command += [str(images), str(rank), str(world), f'{folder}/meeting', as_json]
            process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
            group.append(process)
        outputs = [process.communicate()[0] for process in group]
    if any(process.returncode for process in group):
        raise RuntimeError(f'A scoring process of {world} failed; what it said stands above.')
    measurements = []
    for output in outputs:
        seconds, mib, gpu_mib = map(float, output.split()[-3:])
        measurements.append(Measurement(seconds, mib, gpu_mib))
    return measurements


def main() -> None:
    """Measure as the command line asks."""
    n, rank, world = map(int, sys.argv[1:4])
    torch.set_num_threads(1)
    work = Work(**json.loads(sys.argv[5]))
    print(*measure(n, rank, world, Path(sys.argv[4]), work))


if __name__ == '__main__':
    main()
