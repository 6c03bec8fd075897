"""Groups of processes: NCCL with one process and, where there are two GPUs, with two; gloo with a GPU and without."""

import json
import os
import subprocess
import sys

import pytest
import torch

from tests.zoo_configs import ROOT

TWO_GPUS = pytest.mark.skipif(torch.cuda.device_count() < 2,
                              reason='NCCL takes one process a GPU, and there are not two GPUs')


def group(folder, backend, device, world):
    """What rank 0 of a group of new processes prints; a process that has used CUDA cannot be forked."""
    folder.mkdir()
    processes = []
    for rank in range(world):
        command = [sys.executable, '-m', 'tests.gpu.member', backend, device, str(rank), str(world), f'{folder}/store']
        processes.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                          env=dict(os.environ, OMP_NUM_THREADS='1')))
    outputs = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0] * world, '\n'.join(err[-3000:] for _, err in outputs)
    return json.loads(outputs[0][0].splitlines()[-1])


@pytest.fixture(scope='module')
def alone(tmp_path_factory):
    return group(tmp_path_factory.mktemp('alone') / 'group', 'gloo', 'cpu', 1)


@pytest.mark.parametrize(('backend', 'device', 'world'), [
    pytest.param('gloo', 'cpu', 2, marks=pytest.mark.slow),
    pytest.param('nccl', 'cuda', 1, marks=pytest.mark.gpu),
    pytest.param('gloo', 'cuda', 2, marks=pytest.mark.gpu),
    pytest.param('nccl', 'cuda', 2, marks=[pytest.mark.gpu, TWO_GPUS])])
def test_a_group_finds_what_one_process_on_the_processor_finds(backend, device, world, alone, tmp_path):
    found = group(tmp_path / 'group', backend, device, world)
    ranks = list(range(world))
    assert found['messages'] == dict(all_reduce=[sum(ranks) + world], all_gather=ranks, gather=ranks, broadcast=7,
                                     scatter=10, rank_zero='said')
    assert found['centers'] == alone['centers']
    found, expected = torch.tensor(found['s_test']), torch.tensor(alone['s_test'])
    # As in test_solvers.py: a last iteration of CG more or less.
    assert float(torch.cosine_similarity(found, expected, dim=0)) > 0.999
    assert float(found.norm()) == pytest.approx(float(expected.norm()), rel=1e-2)
