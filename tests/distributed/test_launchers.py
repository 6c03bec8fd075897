"""What is said where --launcher does not fit what started the processes."""

import sys

import pytest

from mmal.distributed.launchers import launched_rank, require_launcher
from mmal.errors import LaunchError, explained

TORCHRUN = dict(RANK='1', WORLD_SIZE='2', LOCAL_RANK='1')
SRUN = dict(SLURM_STEP_ID='0', SLURM_STEP_NUM_TASKS='4', SLURM_PROCID='3')
MPIRUN = dict(OMPI_COMM_WORLD_RANK='2', OMPI_COMM_WORLD_SIZE='8')
BATCH_SCRIPT = dict(SLURM_JOB_ID='7', SLURM_NTASKS='4', SLURM_PROCID='0')


@pytest.mark.parametrize(('launcher', 'env'), [
    ('none', {}), ('none', dict(RANK='0', WORLD_SIZE='1')), ('none', dict(SRUN, SLURM_STEP_NUM_TASKS='1')),
    ('none', BATCH_SCRIPT), ('pytorch', TORCHRUN), ('pytorch', dict(TORCHRUN, WORLD_SIZE='1')),
    ('pytorch', {**SRUN, **TORCHRUN}), ('slurm', SRUN), ('slurm', dict(SRUN, SLURM_STEP_NUM_TASKS='1')),
    ('mpi', MPIRUN)])
def test_a_launcher_that_fits_is_taken(launcher, env):
    require_launcher(launcher, env)


@pytest.mark.parametrize(('launcher', 'env', 'rank', 'message'), [
    ('none', TORCHRUN, 1, 'torchrun started 2 processes (WORLD_SIZE), which would be a run each without --launcher. '
                          'Add --launcher pytorch to divide one run among them.'),
    ('none', SRUN, 3, 'srun started 4 processes (SLURM_STEP_NUM_TASKS), which would be a run each without --launcher. '
                      'Add --launcher slurm to divide one run among them.'),
    ('none', MPIRUN, 2, "Open MPI's mpirun started 8 processes (OMPI_COMM_WORLD_SIZE), which would be a run each "
                        'without --launcher. Add --launcher mpi to divide one run among them.'),
    ('none', {**SRUN, **TORCHRUN}, 1, 'torchrun started 2 processes (WORLD_SIZE), which would be a run each without '
                                      '--launcher. Add --launcher pytorch to divide one run among them.'),
    ('pytorch', {}, 0, '--launcher pytorch: torchrun did not start this process: expected RANK in the environment, '
                       "found none. Start it by `torchrun --standalone --nproc-per-node GPUS al_train.py 'my c.py' "
                       '--launcher pytorch`, or leave --launcher out, which is one process.'),
    ('slurm', BATCH_SCRIPT, 0, '--launcher slurm: srun did not start this process: expected SLURM_STEP_ID in the '
                               'environment, found none. Start it by `srun --ntasks=GPUS --gres=gpu:GPUS python '
                               "al_train.py 'my c.py' --launcher pytorch`, or leave --launcher out, which is one "
                               'process.'),
    ('mpi', {}, 0, "--launcher mpi: Open MPI's mpirun did not start this process: expected OMPI_COMM_WORLD_RANK in "
                   "the environment, found none. Start it by `mpirun -np GPUS python al_train.py 'my c.py' "
                   '--launcher pytorch`, or leave --launcher out, which is one process.'),
    ('slurm', TORCHRUN, 1, '--launcher slurm: srun did not start this process: expected SLURM_STEP_ID in the '
                           'environment, found none. torchrun started it: give --launcher pytorch.'),
    ('pytorch', SRUN, 3, '--launcher pytorch: torchrun did not start this process: expected RANK in the environment, '
                         'found none. srun started it: give --launcher slurm.')])
def test_a_launcher_that_does_not_fit_is_refused_with_the_one_that_does(monkeypatch, launcher, env, rank, message):
    monkeypatch.setattr(sys, 'argv', ['al_train.py', 'my c.py', '--launcher', 'pytorch'])
    with pytest.raises(LaunchError) as refusal:
        require_launcher(launcher, env)
    assert str(refusal.value) == message
    assert refusal.value.rank == rank


def test_the_number_of_a_process_is_known_before_they_meet():
    assert [launched_rank(name, env) for name, env in (
        ('none', TORCHRUN), ('pytorch', TORCHRUN), ('slurm', SRUN), ('mpi', MPIRUN))] == [0, 1, 3, 2]


def test_rank_0_alone_tells_what_all_have(monkeypatch):
    monkeypatch.setattr('mmal.errors.SECONDS_TO_SPEAK', 0.0)
    codes = []
    for rank in range(2):
        with pytest.raises(SystemExit) as end, explained('al_train.py'):
            raise LaunchError('no launcher.', rank)
        codes.append(end.value.code)
    assert codes == ['\nal_train.py: no launcher.', 1]
