"""What mmengine's Runner prepares in a process, for work that has no training and no Runner."""

from __future__ import annotations

import time
from logging import Logger
from pathlib import Path

from mmengine import dist
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from mmengine.utils.dl_utils import set_multi_processing

from mmal.distributed.launch import prepare_launch
from mmal.fileio.tensors import forbid_unpickling


def prepare_process(cfg: Config, seed: int) -> None:
    """Join the processes of ``cfg.launcher``, and set the scope of the registries and the seed.

    Args:
        cfg: The whole config, with its ``launcher``.
        seed: Seed of all random generators.

    Raises:
        InputError: If the launcher did not start this process.
    """
    forbid_unpickling(cfg.get('unsafe_checkpoints', False))
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    env_cfg = cfg.get('env_cfg') or {}
    prepare_launch(cfg)
    if cfg.launcher != 'none' and not dist.is_distributed():
        dist.init_dist(cfg.launcher, **(env_cfg.get('dist_cfg') or dict(backend='nccl')))
    set_multi_processing(distributed=dist.is_distributed(), **(env_cfg.get('mp_cfg') or {}))
    set_random_seed(seed)


def open_log(folder: Path) -> Logger:
    """Open the log of work in a folder: rank 0 writes a file there, named by the time.

    Args:
        folder: The folder. It is made if it does not exist.
    """
    file = None
    if dist.is_main_process():
        folder.mkdir(parents=True, exist_ok=True)
        file = str(folder / time.strftime('%Y%m%d_%H%M%S.log'))
    log: Logger = MMLogger.get_instance(str(folder), logger_name='mmengine', log_file=file)
    return log
