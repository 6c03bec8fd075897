from __future__ import annotations

import os

import torch
from torch import distributed as torch_dist


def init_without_cuda(cfg) -> None:
    """Start the process group where the Runner could not.

    mmengine's ``init_dist`` sets a CUDA device without asking, and its wrapper names one. Without a GPU, a torchrun
    launch gets its gloo group and a wrapper without device here; the Runner then finds them.
    """
    if cfg.launcher != 'pytorch' or torch.cuda.is_available() or torch_dist.is_initialized():
        return
    cfg.setdefault('env_cfg', {}).setdefault('dist_cfg', {})['backend'] = 'gloo'
    cfg.setdefault('model_wrapper_cfg', dict(
        type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False)))
    torch_dist.init_process_group('gloo', rank=int(os.environ['RANK']), world_size=int(os.environ['WORLD_SIZE']))
