from __future__ import annotations

import os

import torch
from torch import distributed as torch_dist


def init_without_cuda(cfg) -> None:
    """Start the process group where the Runner could not.

    mmengine's ``init_dist`` sets a CUDA device without asking. Without one, a torchrun launch gets its gloo group here;
    the Runner then finds it there.
    """
    if cfg.launcher != 'pytorch' or torch.cuda.is_available() or torch_dist.is_initialized():
        return
    cfg.setdefault('env_cfg', {}).setdefault('dist_cfg', {})['backend'] = 'gloo'
    torch_dist.init_process_group('gloo', rank=int(os.environ['RANK']), world_size=int(os.environ['WORLD_SIZE']))
