"""What starts several processes of a program, and whether its ``--launcher`` says so."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from mmal.errors import LaunchError


@dataclass(frozen=True)
class Launcher:
    """A program that starts processes.

    Attributes:
        program: Name of the program.
        expected: Environment variable that it sets.
        rank: Environment variable with the number of a process, from 0.
        size: Environment variable with the number of processes.
        call: How a command is started by it.
    """

    program: str
    expected: str
    rank: str
    size: str
    call: str


LAUNCHERS = dict(
    pytorch=Launcher(
        program='torchrun',
        expected='RANK',
        rank='RANK',
        size='WORLD_SIZE',
        call='torchrun --standalone --nproc-per-node GPUS',
    ),
    # A batch script itself is no step, and has no SLURM_STEP_ID.
    slurm=Launcher(
        program='srun',
        expected='SLURM_STEP_ID',
        rank='SLURM_PROCID',
        size='SLURM_STEP_NUM_TASKS',
        call='srun --ntasks=GPUS --gres=gpu:GPUS python',
    ),
    mpi=Launcher(
        program="Open MPI's mpirun",
        expected='OMPI_COMM_WORLD_RANK',
        rank='OMPI_COMM_WORLD_RANK',
        size='OMPI_COMM_WORLD_SIZE',
        call='mpirun -np GPUS python',
    ),
)
"""The launchers by what ``--launcher`` calls them. torchrun comes first, which others may start."""


def require_launcher(launcher: str, env: Mapping[str, str]) -> None:
    """Refuse processes that could not find each other.

    Args:
        launcher: What ``--launcher`` says.
        env: Environment of this process.

    Raises:
        LaunchError: If another program started this process than ``launcher`` says, or none did; if
            there are several processes and ``launcher`` is 'none'.
    """
    started_by = _find_launcher(env)
    if launcher not in LAUNCHERS:
        if started_by is not None:
            _refuse_none(started_by, env)
        return
    expected = LAUNCHERS[launcher]
    if expected.expected in env:
        return
    message = (
        f'--launcher {launcher}: {expected.program} did not start this process: expected '
        f'{expected.expected} in the environment, found none.'
    )
    if started_by is None:
        raise LaunchError(
            f'{message} Start it by `{expected.call} {shlex.join(sys.argv)}`, or leave --launcher '
            'out, which is one process.'
        )
    found = LAUNCHERS[started_by]
    raise LaunchError(
        f'{message} {found.program} started it: give --launcher {started_by}.', _rank(found, env)
    )


def launched_rank(launcher: str, env: Mapping[str, str]) -> int:
    """The number of this process, before the processes have found each other.

    Args:
        launcher: What ``--launcher`` says.
        env: Environment of this process.

    Returns:
        The number, from 0; 0 for launcher 'none'.
    """
    if launcher not in LAUNCHERS:
        return 0
    return _rank(LAUNCHERS[launcher], env)


def _find_launcher(env: Mapping[str, str]) -> str | None:
    """The launcher that started this process and others; None if it is the only one."""
    for name, launcher in LAUNCHERS.items():
        size = env.get(launcher.size, '')
        if launcher.expected in env and size.isdigit() and int(size) > 1:
            return name
    return None


def _refuse_none(started_by: str, env: Mapping[str, str]) -> None:
    found = LAUNCHERS[started_by]
    raise LaunchError(
        f'{found.program} started {env[found.size]} processes ({found.size}), which would be a run '
        f'each without --launcher. Add --launcher {started_by} to divide one run among them.',
        _rank(found, env),
    )


def _rank(launcher: Launcher, env: Mapping[str, str]) -> int:
    return int(env.get(launcher.rank, 0))
