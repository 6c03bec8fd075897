"""What processes need to find each other, where the launchers of the host libraries do not see to it."""

from __future__ import annotations

import os
import socket
import subprocess
from datetime import timedelta

import torch
from torch import distributed as torch_dist

from mmal.errors import InputError

STARTED_BY = dict(
    pytorch=('RANK', 'torchrun, or tools/dist_al_train.sh'),
    slurm=('SLURM_STEP_ID', 'srun, or tools/slurm_al_train.sh'),  # a batch script itself is no step
    mpi=('OMPI_COMM_WORLD_RANK', "Open MPI's mpirun"),
)
"""By launcher: what is in the environment of a process that it started, and what starts such processes."""


def prepare_launch(cfg) -> None:
    """Get ready for the process group of ``cfg.launcher``, and start it where the Runner could not.

    Under slurm, port and address are set that mmengine would get wrong: its port is the same for every job, and an
    error message of scontrol becomes its address. Under all of them RANK is set from here on. Without a GPU, processes
    get a gloo group and a wrapper without device, for mmengine's ``init_dist`` sets a CUDA device without asking; the
    Runner then finds them.

    Args:
        cfg: The config; ``env_cfg.dist_cfg.timeout``, in seconds, holds here, too.

    Raises:
        InputError: If ``cfg.launcher`` did not start this process, or no address can be found.
    """
    if cfg.launcher not in STARTED_BY or torch_dist.is_initialized():
        return
    expected, started_by = STARTED_BY[cfg.launcher]
    if expected not in os.environ:
        raise InputError(
            f'--launcher {cfg.launcher}: expected {expected} in the environment, found none. Start this '
            f'with {started_by}.'
        )
    if cfg.launcher == 'slurm':
        _use_slurm()
    if cfg.launcher == 'mpi':
        _use_mpi()
    if not torch.cuda.is_available():
        _start_gloo(cfg)


def _use_slurm() -> None:
    env = os.environ
    env.setdefault('MASTER_PORT', str(slurm_port(env)))
    if 'MASTER_ADDR' not in env:
        env['MASTER_ADDR'] = slurm_address(env)
    env.update(
        RANK=env['SLURM_PROCID'],
        WORLD_SIZE=env['SLURM_NTASKS'],
        LOCAL_RANK=env.get('SLURM_LOCALID', '0'),
    )


def _use_mpi() -> None:
    env = os.environ
    size = env['OMPI_COMM_WORLD_SIZE']
    if 'MASTER_ADDR' not in env:
        if env.get('OMPI_COMM_WORLD_LOCAL_SIZE') != size:
            raise InputError(
                '--launcher mpi on several machines: expected MASTER_ADDR in the environment, found none. '
                'Give the address of the machine that rank 0 runs on: mpirun -x MASTER_ADDR=...'
            )
        env['MASTER_ADDR'] = '127.0.0.1'
    env.setdefault('MASTER_PORT', '29500')  # as mmengine has it
    env.update(
        RANK=env['OMPI_COMM_WORLD_RANK'],
        WORLD_SIZE=size,
        LOCAL_RANK=env['OMPI_COMM_WORLD_LOCAL_RANK'],
    )


def slurm_port(env) -> int:
    """A port from 20000 to 29999, the same for all tasks of a job step and another for the next job.

    Those are below the ports that Linux hands out by itself.
    """
    return (
        20000 + (int(env.get('SLURM_JOB_ID', 0)) + 101 * int(env.get('SLURM_STEP_ID', 0))) % 10000
    )


def slurm_address(env) -> str:
    """Name of the node that rank 0 runs on.

    Raises:
        InputError: If scontrol does not say it, or nobody knows the name.
    """
    if env.get('SLURM_STEP_NUM_NODES') == '1':
        return '127.0.0.1'
    cure = 'Set MASTER_ADDR to the address of the node that rank 0 runs on.'
    command = [
        'scontrol',
        'show',
        'hostnames',
        env.get('SLURM_STEP_NODELIST') or env.get('SLURM_NODELIST', ''),
    ]
    try:
        names = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=60
        ).stdout.split()
    except (OSError, subprocess.SubprocessError) as e:
        said = (getattr(e, 'stderr', None) or str(e)).strip()
        raise InputError(
            f'`{" ".join(command)}` was to name the first node, and failed: {said}. {cure}'
        ) from None
    if not names:
        raise InputError(
            f'`{" ".join(command)}` was to name the first node, and named none. {cure}'
        )
    try:
        socket.getaddrinfo(names[0], None)
    except OSError as e:
        raise InputError(
            f'{socket.gethostname()} does not know the address of the first node, {names[0]} ({e}). '
            f'{cure}'
        ) from None
    return names[0]


def _start_gloo(cfg) -> None:
    settings = cfg.setdefault('env_cfg', {}).setdefault('dist_cfg', {})
    settings['backend'] = 'gloo'
    cfg.setdefault(
        'model_wrapper_cfg',
        dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        ),
    )
    limit = (
        {}
        if settings.get('timeout') is None
        else dict(timeout=timedelta(seconds=settings['timeout']))
    )
    torch_dist.init_process_group(
        'gloo', rank=int(os.environ['RANK']), world_size=int(os.environ['WORLD_SIZE']), **limit
    )
