"""What processes with GPUs send each other lies on a GPU: NCCL has no way from one CPU to another."""

from datetime import timedelta

import pytest
import torch
import torch.distributed as torch_dist

from mmal.adapters import build_model_adapter
from mmal.distributed.group import Group
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.influence.curvature import DoubleBackward
from mmal.influence.distributed_curvature import SharedCurvature
from mmal.registry import SAMPLERS
from mmal.samplers.algorithms.kcenter import kcenter_greedy
from tests.contracts.test_samplers import CASES, name_of
from tests.emulation.cuda_only_group import together_on_gpus
from tests.processes import apart
from tests.sampler_fixtures import ranking

DEVICE = torch.device('cuda', 0)


def test_torch_itself_refuses_a_tensor_of_the_cpu(tmp_path):
    """So the group below refuses what a real one refuses."""
    def work(rank):
        torch_dist.init_process_group('cuda:gloo', init_method=f'file://{tmp_path}/store', rank=rank, world_size=2,
                                      timeout=timedelta(seconds=60))
        with pytest.raises(RuntimeError, match='No backend type associated with device type cpu'):
            torch_dist.all_reduce(torch.ones(2))

    apart(2, tmp_path, work)


def test_the_group_of_the_tests_refuses_it_too(tmp_path):
    def work():
        with pytest.raises(RuntimeError, match='device type cpu'):
            torch_dist.all_reduce(torch.ones(2))

    together_on_gpus(2, tmp_path / 'group', work)


def test_every_message_of_a_group(tmp_path):
    def work():
        group = Group()
        of_cpu = torch.tensor([1.0, group.rank])
        assert group.all_reduce(of_cpu) is of_cpu
        of_gpu = group.all_reduce(torch.tensor([1.0, group.rank], device=DEVICE))
        assert of_gpu.is_cuda
        return (of_cpu.tolist(), of_gpu.tolist(), group.all_gather(group.rank), group.gather('x'), group.broadcast('y'),
                group.scatter(lambda: [3, 4]), run_on_rank_zero(lambda: 'z'))

    assert together_on_gpus(2, tmp_path / 'group', work) == (
        [2.0, 1.0], [2.0, 1.0], [0, 1], ['x', 'x'], 'y', 3, 'z')


@pytest.mark.parametrize('device', ['cpu', DEVICE])
def test_k_center_chooses_as_one_process_does(tmp_path, device):
    points, centers = torch.randn(11, 4), torch.randn(3, 4)
    expected, expected_distance = kcenter_greedy(points, centers, 5)

    def work():
        group = Group()
        own = points[group.rank::2].to(device)
        return kcenter_greedy(own, centers.to(device), 5, group=group)

    chosen, distance = together_on_gpus(2, tmp_path / 'group', work)
    assert chosen == expected
    assert torch.equal(distance, expected_distance)


def test_a_shared_curvature(tmp_path):
    torch.manual_seed(0)
    model, x = torch.nn.Linear(3, 1), torch.randn(4, 3)
    params = dict(model.named_parameters())
    expected = DoubleBackward(lambda batch: model(batch)[:, 0].square(), [x], params).product(torch.ones(4))

    def work():
        group = Group()
        moved = model.to(DEVICE)
        params = dict(moved.named_parameters())
        batches = [x[group.rank * 2:group.rank * 2 + 2].to(DEVICE)]
        own = DoubleBackward(lambda batch: moved(batch)[:, 0].square(), batches, params)
        shared = SharedCurvature(own, params, group.rank, [1, 1], 'hessian', group.all_reduce)
        return shared.product(torch.ones(4, device=DEVICE)).cpu()

    torch.testing.assert_close(together_on_gpus(2, tmp_path / 'group', work), expected)


ONE_OF_EACH = [case for case in CASES if len(case[1]) < 3 or case[1]['type'] in ('mmal.PPALSampler', )]


@pytest.fixture(params=ONE_OF_EACH, ids=name_of)
def case(request):
    return request.param


def test_every_sampler_chooses_what_one_process_chooses(case, ask, world, tmp_path):
    sampler = SAMPLERS.build(case[1])
    whole = ask(sampler)

    def work():
        world.model.to(DEVICE)
        return ask(sampler, pass_dir=tmp_path / 'shared', adapter=lambda: build_model_adapter(world.model, world.cfg))

    shared = together_on_gpus(2, tmp_path / 'group', work)
    assert shared.value == pytest.approx(whole.value, rel=1e-4, abs=1e-5)
    assert ranking(shared) == ranking(whole)
