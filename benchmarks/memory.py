"""Peak memory of a scoring process, for pools of two sizes: python -m benchmarks.memory N prints it in MiB."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from logging import getLogger
from pathlib import Path

import torch

from benchmarks.harness import record


class Noise(torch.utils.data.Dataset):
    """Images of noise, 64 x 64, made when asked for."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> dict:
        from mmdet.structures import DetDataSample
        sample = DetDataSample(metainfo=dict(img_id=i, img_shape=(64, 64), ori_shape=(64, 64), scale_factor=(1.0, 1.0)))
        pixels = torch.randint(0, 255, (3, 64, 64), generator=torch.Generator().manual_seed(i), dtype=torch.uint8)
        return dict(inputs=pixels, data_samples=sample)


def measure(n: int) -> float:
    """Score n images of 64 x 64 with a small detector, as a round does; peak resident memory in MiB."""
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules
    from mmengine.config import Config

    from mmal.artifacts import save_tensors
    from mmal.samplers import InfluenceSampler, Query
    from mmal.tasks.detection import DetectionTask
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile('configs/_base_/fcos_tiny.py').model)
    task = DetectionTask(model, print)
    with tempfile.TemporaryDirectory() as folder:
        params = {k: p for k, p in model.named_parameters() if 'bbox_head.conv_' in k}
        save_tensors(Path(folder) / 's_test.pth', {k: torch.randn_like(p) for k, p in params.items()})
        ids = list(range(n))
        query = Query(round=0, seed=0, ids=ids, labeled=[], budget=10, folder=Path(folder),
                      passes=Path(folder) / 'passes',
                      images=lambda: (Noise(n), {i: i for i in ids}), labeled_images=lambda: None, task=lambda: task,
                      batch_size=8, num_workers=0, logger=getLogger())
        InfluenceSampler().score(query)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def records(n: int) -> list[dict]:
    peaks: dict[int, list[float]] = {200: [], 2000: []}
    for _ in range(n):
        for size in peaks:
            out = subprocess.run([sys.executable, '-m', 'benchmarks.memory', str(size)], capture_output=True, text=True,
                                 check=True)
            peaks[size].append(float(out.stdout.split()[-1]))
    medians = {size: statistics.median(found) for size, found in peaks.items()}
    return [record('peak memory while scoring, pool of 2000 / pool of 200', medians[2000] / medians[200],
                   '0.95 to 1.05', n, median_mib={str(k): round(v) for k, v in medians.items()},
                   model='configs/_base_/fcos_tiny.py, 64 x 64')]


if __name__ == '__main__':
    print(measure(int(sys.argv[1])))
