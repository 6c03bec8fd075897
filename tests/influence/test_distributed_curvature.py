import pytest
import torch
from torch import nn

from mmal.influence.api import build_curvature
from mmal.influence.curvature import DoubleBackward
from mmal.influence.distributed_curvature import SharedCurvature
from mmal.influence.parameters import select_parameters


@pytest.fixture
def world():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    batches = [(torch.randn(n, 3), torch.randint(2, (n, ))) for n in (4, 4, 4, 4, 1)]

    def losses(batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction='none')

    return model, batches, losses


@pytest.mark.parametrize('patterns', [['2'], ['*']])
@pytest.mark.parametrize('n', [1, 2, 3, 7])
def test_products_are_those_of_one_process(world, patterns, n):
    model, batches, losses = world
    params = select_parameters(model, patterns)
    whole = build_curvature(model, losses, batches, params, log=lambda text: None)
    owns = [build_curvature(model, losses, batches[r::n], params, log=lambda text: None) if batches[r::n] else None
            for r in range(n)]
    lengths, vector = [len(o) if o else 0 for o in owns], torch.randn(sum(p.numel() for p in params.values()))

    def product(batch):
        """What every process gets, all adding up together."""
        parts = []
        for r, own in enumerate(owns):
            SharedCurvature(own, params, r, lengths, 'hessian', lambda t: parts.append(t) or t).sums(vector, batch)
        total = sum(parts)
        return SharedCurvature(owns[0], params, 0, lengths, 'hessian', lambda t: total).product(vector, batch)

    assert len(SharedCurvature(owns[0], params, 0, lengths, 'hessian', None)) == 5
    for batch in [None, *range(5)]:
        torch.testing.assert_close(product(batch), whole.product(vector, batch), rtol=1e-6, atol=1e-9)


def test_sums_are_the_mean_times_the_number_of_samples(world):
    model, batches, losses = world
    curvature = DoubleBackward(losses, batches, select_parameters(model, ['*']))
    vector = torch.randn(26)
    sums = curvature.sums(vector)
    assert (sums.dtype, int(sums[-1])) == (torch.float64, 17)
    torch.testing.assert_close((sums[:-1] / 17).float(), curvature.product(vector))
