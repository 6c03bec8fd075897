"""One scoring pass as a round makes it, by a group of processes that is started for it, a thread each.

python -m benchmarks.scoring_pass N RANK WORLD FILE scores N images as one of WORLD; it prints seconds and MiB.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from logging import getLogger
from pathlib import Path

import torch


class Noise(torch.utils.data.Dataset):
    """Images of noise, 64 x 64, made when asked for."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> dict:
        from mmdet.structures import DetDataSample

        sample = DetDataSample(
            metainfo=dict(img_id=i, img_shape=(64, 64), ori_shape=(64, 64), scale_factor=(1.0, 1.0))
        )
        pixels = torch.randint(
            0, 255, (3, 64, 64), generator=torch.Generator().manual_seed(i), dtype=torch.uint8
        )
        return dict(inputs=pixels, data_samples=sample)


MODEL = 'configs/_base_/fcos_tiny.py'


def measure(n: int, rank: int, world: int, meeting: str) -> tuple[float, float]:
    """Seconds of the whole pass and this process's peak resident memory in MiB, when each process scores its share."""
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules
    from mmengine.config import Config

    from mmal.adapters.detection.model import DetectionAdapter
    from mmal.fileio.tensors import save_tensors
    from mmal.samplers.base import Query
    from mmal.samplers.influence import InfluenceSampler

    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{meeting}', rank=rank, world_size=world
    )
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(MODEL).model)
    task, folder, seconds = DetectionAdapter(model, print), Path(meeting).parent, 0.0
    params = {k: p for k, p in model.named_parameters() if 'bbox_head.conv_' in k}
    if rank == 0:
        save_tensors(folder / 's_test.pth', {k: torch.randn_like(p) for k, p in params.items()})
    for part, size in (('warm', 32), ('timed', n)):
        query = Query(
            round=0,
            seed=0,
            ids=list(range(size)),
            labeled=[],
            budget=10,
            folder=folder,
            pass_dir=folder / part,
            images=lambda size=size: (Noise(size), {i: i for i in range(size)}),
            labeled_images=lambda: None,
            adapter=lambda: task,
            batch_size=8,
            num_workers=0,
            logger=getLogger(),
        )
        torch.distributed.barrier()
        start = time.perf_counter()
        InfluenceSampler().score(query)
        torch.distributed.barrier()
        seconds = time.perf_counter() - start
    torch.distributed.destroy_process_group()
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def passes(world: int, images: int) -> list[tuple[float, float]]:
    """What each of ``world`` new processes measured, by rank."""
    env = dict(os.environ, OMP_NUM_THREADS='1')
    with tempfile.TemporaryDirectory() as folder:
        group = [
            subprocess.Popen(
                [
                    sys.executable,
                    '-m',
                    'benchmarks.scoring_pass',
                    str(images),
                    str(rank),
                    str(world),
                    f'{folder}/meeting',
                ],
                env=env,
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(world)
        ]
        said = [process.communicate()[0] for process in group]
    if any(process.returncode for process in group):
        raise RuntimeError(f'A scoring process of {world} failed; what it said stands above.')
    return [tuple(map(float, text.split()[-2:])) for text in said]


if __name__ == '__main__':
    torch.set_num_threads(1)
    print(*measure(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
