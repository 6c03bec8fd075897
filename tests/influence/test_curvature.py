import torch
from torch import nn
from torch.func import functional_call, hessian

from mmal.influence.curvature import hvp
from mmal.influence.parameters import flatten


def dense_hessian(model, loss_of):
    """Hessian by torch.func on the flat parameter vector, float64."""
    params = dict(model.named_parameters())
    shapes = {n: p.shape for n, p in params.items()}

    def loss(vector):
        pieces = vector.split([s.numel() for s in shapes.values()])
        return loss_of({n: v.view(s) for (n, s), v in zip(shapes.items(), pieces, strict=True)})

    return hessian(loss)(flatten(params))


def test_hvp_equals_the_dense_hessian():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    x, y = torch.randn(7, 4, dtype=torch.double), torch.randint(3, (7, ))
    H = dense_hessian(model, lambda p: nn.functional.cross_entropy(functional_call(model, p, (x, )), y))
    params, v = dict(model.named_parameters()), torch.randn(len(H), dtype=torch.double)
    for _ in range(2):  # twice: no hidden state
        product = hvp(nn.functional.cross_entropy(model(x), y), params, v)
        torch.testing.assert_close(product, H @ v, rtol=1e-10, atol=1e-12)
    assert not product.requires_grad


def test_hvp_of_a_linear_loss_is_zero():
    model = nn.Linear(3, 1)
    assert not hvp(model(torch.ones(2, 3)).sum(), dict(model.named_parameters()), torch.ones(4)).any()
