import os
import socket

import pytest
from mmengine import dist
from mmengine.config import Config

from mmal.distributed.launch import prepare_launch, slurm_address, slurm_port
from mmal.errors import InputError
from tests.processes import apart


@pytest.fixture
def scontrol(tmp_path, monkeypatch):
    """Put a scontrol of our own first."""
    def write(script):
        path = tmp_path / 'scontrol'
        path.write_text(f'#!/bin/sh\n{script}\n')
        path.chmod(0o755)
        monkeypatch.setenv('PATH', str(tmp_path))
    return write


def test_jobs_and_steps_have_ports_of_their_own():
    jobs = [slurm_port(dict(SLURM_JOB_ID=str(n), SLURM_STEP_ID='0')) for n in range(1000)]
    assert len(set(jobs)) == 1000
    assert slurm_port(dict(SLURM_JOB_ID='7', SLURM_STEP_ID='1')) != jobs[7]
    assert 20000 <= slurm_port(dict(SLURM_JOB_ID='123456789', SLURM_STEP_ID='0')) < 30000


def test_the_first_node_is_where_rank_0_runs(scontrol):
    scontrol('test "$3" = "localhost,elsewhere" && echo localhost && echo elsewhere')
    assert slurm_address(dict(SLURM_STEP_NUM_NODES='2', SLURM_STEP_NODELIST='localhost,elsewhere')) == 'localhost'
    assert slurm_address(dict(SLURM_STEP_NUM_NODES='1', SLURM_STEP_NODELIST='nobody')) == '127.0.0.1'


@pytest.mark.parametrize(('script', 'message'), [
    ('echo no controller >&2; exit 1', 'and failed: no controller'), ('true', 'named none'),
    ('echo no-such-host.invalid', 'does not know the address of the first node, no-such-host.invalid')])
def test_an_address_that_cannot_be_found_is_told(scontrol, script, message):
    scontrol(script)
    with pytest.raises(InputError, match=f'{message}.*Set MASTER_ADDR'):
        slurm_address(dict(SLURM_STEP_NUM_NODES='2', SLURM_STEP_NODELIST='n[1-2]'))


def test_no_scontrol_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(InputError, match="failed: .*'scontrol'.*Set MASTER_ADDR"):
        slurm_address(dict(SLURM_NODELIST='n[1-2]'))


@pytest.mark.parametrize(('launcher', 'name'), [('pytorch', 'RANK'), ('slurm', 'SLURM_STEP_ID'),
                                                ('mpi', 'OMPI_COMM_WORLD_RANK')])
def test_a_launcher_that_did_not_start_this_is_told(monkeypatch, launcher, name):
    monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=f'expected {name} in the environment, found none. Start it by `'):
        prepare_launch(Config(dict(launcher=launcher)))


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    for name in ('RANK', 'LOCAL_RANK'):
        monkeypatch.setenv(name, '1')
    prepare_launch(Config(dict(launcher='pytorch')))
    monkeypatch.setenv('LOCAL_RANK', '2')
    with pytest.raises(InputError, match='Process 2 of this machine has no GPU: 2 can be seen .*--nproc-per-node 2'):
        prepare_launch(Config(dict(launcher='pytorch')))


def test_processes_of_open_mpi_form_a_group_and_know_their_rank(tmp_path, monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR'):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        monkeypatch.setenv('MASTER_PORT', str(free.getsockname()[1]))

    def member(rank):
        os.environ.update(OMPI_COMM_WORLD_RANK=str(rank), OMPI_COMM_WORLD_LOCAL_RANK=str(rank),
                          OMPI_COMM_WORLD_SIZE='2', OMPI_COMM_WORLD_LOCAL_SIZE='2')
        prepare_launch(Config(dict(launcher='mpi')))
        return dist.all_gather_object((dist.get_rank(), os.environ['RANK'], os.environ['LOCAL_RANK']))

    assert apart(2, tmp_path / 'group', member) == [(0, '0', '0'), (1, '1', '1')]


def test_open_mpi_on_several_machines_needs_an_address(monkeypatch):
    monkeypatch.delenv('MASTER_ADDR', raising=False)
    for name, value in dict(RANK=2, LOCAL_RANK=0, SIZE=4, LOCAL_SIZE=2).items():
        monkeypatch.setenv(f'OMPI_COMM_WORLD_{name}', str(value))
    with pytest.raises(InputError, match='on several machines: expected MASTER_ADDR'):
        prepare_launch(Config(dict(launcher='mpi')))
