"""Prepares processes to find each other where the launchers of the host libraries do not."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import torch
from mmengine.config import Config
from torch import distributed as torch_dist

from mmal.errors import InputError

from .launchers import LAUNCHERS, require_launcher

ADDRESS_FIX = 'Set MASTER_ADDR to the address of the node that rank 0 runs on.'


def prepare_launch(cfg: Config) -> None:
    """Prepare for the process group of ``cfg.launcher``, and start it where the Runner could not.

    Under slurm, the port and the address are set, which mmengine would get wrong: its port is the
    same for every job, and an error message of scontrol becomes its address. Under all launchers,
    RANK is set from here on. Without a GPU, processes get a gloo group and a wrapper without a
    device, since mmengine's ``init_dist`` sets a CUDA device without asking; the Runner then finds
    the group.

    Args:
        cfg: Config of the run. Its ``env_cfg.dist_cfg.timeout``, in seconds, is also the time
            limit of a gloo group. Without a GPU, its ``model_wrapper_cfg`` is set.

    Raises:
        InputError: If ``cfg.launcher`` did not start this process, no address can be found, or
            torchrun started more processes than there are GPUs.
    """
    if cfg.launcher not in LAUNCHERS or torch_dist.is_initialized():
        return
    require_launcher(cfg.launcher, os.environ)
    if cfg.launcher == 'slurm':
        _use_slurm()
    if cfg.launcher == 'mpi':
        _use_mpi()
    if not torch.cuda.is_available():
        _start_gloo(cfg)
    elif cfg.launcher == 'pytorch':
        _require_gpu(int(os.environ['LOCAL_RANK']), torch.cuda.device_count())


def slurm_port(env: Mapping[str, str]) -> int:
    """Choose a port that all tasks of a job step share, and that the next job does not use.

    Args:
        env: Environment of a task, with SLURM_JOB_ID and SLURM_STEP_ID.

    Returns:
        A port from 20000 to 29999, below the ports that Linux hands out by itself.
    """
    job = int(env.get('SLURM_JOB_ID', 0))
    step = int(env.get('SLURM_STEP_ID', 0))
    return 20000 + (job + 101 * step) % 10000


def slurm_address(env: Mapping[str, str]) -> str:
    """Find the name of the node that rank 0 runs on.

    Args:
        env: Environment of a task, with the nodes of the step.

    Raises:
        InputError: If scontrol does not give the name, or the name has no address.
    """
    if env.get('SLURM_STEP_NUM_NODES') == '1':
        return '127.0.0.1'
    name = _first_node(env.get('SLURM_STEP_NODELIST') or env.get('SLURM_NODELIST', ''))
    try:
        socket.getaddrinfo(name, None)
    except OSError as e:
        raise InputError(
            f'{socket.gethostname()} does not know the address of the first node, {name} ({e}). '
            f'{ADDRESS_FIX}'
        ) from None
    return name


def _first_node(node_list: str) -> str:
    """The first name of slurm's compressed list of nodes.

    Raises:
        InputError: If scontrol fails or gives no name.
    """
    command = ['scontrol', 'show', 'hostnames', node_list]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as e:
        message = (getattr(e, 'stderr', None) or str(e)).strip()
        raise InputError(
            f'`{" ".join(command)}` was to name the first node, and failed: {message}. '
            f'{ADDRESS_FIX}'
        ) from None
    names = done.stdout.split()
    if not names:
        raise InputError(
            f'`{" ".join(command)}` was to name the first node, and named none. {ADDRESS_FIX}'
        )
    return names[0]


def _use_slurm() -> None:
    """Set torch's environment variables from slurm's."""
    env = os.environ
    env.setdefault('MASTER_PORT', str(slurm_port(env)))
    if 'MASTER_ADDR' not in env:
        env['MASTER_ADDR'] = slurm_address(env)
    env['RANK'] = env['SLURM_PROCID']
    env['WORLD_SIZE'] = env['SLURM_NTASKS']
    env['LOCAL_RANK'] = env.get('SLURM_LOCALID', '0')


def _use_mpi() -> None:
    """Set torch's environment variables from those of Open MPI.

    Raises:
        InputError: If there are several machines and no address is given.
    """
    env = os.environ
    world_size = env['OMPI_COMM_WORLD_SIZE']
    if 'MASTER_ADDR' not in env:
        if env.get('OMPI_COMM_WORLD_LOCAL_SIZE') != world_size:
            raise InputError(
                '--launcher mpi on several machines: expected MASTER_ADDR in the environment, '
                'found none. Give the address of the machine that rank 0 runs on: '
                'mpirun -x MASTER_ADDR=...'
            )
        env['MASTER_ADDR'] = '127.0.0.1'
    # The port that mmengine takes.
    env.setdefault('MASTER_PORT', '29500')
    env['RANK'] = env['OMPI_COMM_WORLD_RANK']
    env['WORLD_SIZE'] = world_size
    env['LOCAL_RANK'] = env['OMPI_COMM_WORLD_LOCAL_RANK']


def _require_gpu(local_rank: int, n_gpus: int) -> None:
    """Refuse a process for which its machine has no GPU.

    Args:
        local_rank: Number of the process among those of its machine.
        n_gpus: Number of GPUs that it sees.
    """
    if local_rank >= n_gpus:
        raise InputError(
            f'Process {local_rank} of this machine has no GPU: {n_gpus} can be seen '
            '(CUDA_VISIBLE_DEVICES). Start as many processes, --nproc-per-node '
            f'{n_gpus}.'
        )


def _start_gloo(cfg: Config) -> None:
    """Start a process group on CPUs, and have the Runner wrap models without a device."""
    dist_cfg = cfg.setdefault('env_cfg', {}).setdefault('dist_cfg', {})
    dist_cfg['backend'] = 'gloo'
    wrapper = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.setdefault('model_wrapper_cfg', wrapper)
    options: dict[str, Any] = {}
    if dist_cfg.get('timeout') is not None:
        options['timeout'] = timedelta(seconds=dist_cfg['timeout'])
    torch_dist.init_process_group(
        'gloo',
        rank=int(os.environ['RANK']),
        world_size=int(os.environ['WORLD_SIZE']),
        **options,
    )
