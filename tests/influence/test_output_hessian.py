import pytest
import torch
import torch.nn.functional as F

from mmal.influence import output_hessian
from mmal.influence.output_hessian import OutputHessian


def iou_loss(reg, box, weight):
    def area(sides):
        return (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3])

    inter = area(torch.minimum(reg.exp(), box))
    return ((1 - inter / (area(reg.exp()) + area(box) - inter)) * weight).sum()


@pytest.mark.parametrize('place', range(64))
def test_one_positive_anywhere_is_a_block(place):
    """Signs as probes cannot tell a block from a diagonal in one map of six."""
    g = torch.Generator().manual_seed(place)
    reg = torch.randn(1, 4, 8, 8, generator=g, dtype=torch.double).requires_grad_()
    box = torch.rand(1, 4, 8, 8, generator=g, dtype=torch.double) * 2 + 0.1
    weight = torch.zeros(1, 8, 8, dtype=torch.double)
    weight.view(-1)[place] = 1
    found = OutputHessian(iou_loss(reg, box, weight), [reg], [-3])
    exact = torch.func.hessian(lambda r: iou_loss(r, box, weight))(reg.detach()).reshape(256, 256)
    u = torch.randn(1, 4, 8, 8, generator=g, dtype=torch.double)
    torch.testing.assert_close(found.product([u])[0].flatten(), exact @ u.flatten())


def clamped(*args):
    found = OutputHessian(*args)
    found.clamp()
    return found


def test_a_confident_softmax_in_float32_keeps_the_box_clamped():
    torch.manual_seed(0)
    cls = (torch.zeros(4, 10).index_fill_(1, torch.tensor([3]), 16.0) + torch.randn(4, 10) * 0.1).requires_grad_()
    box = torch.randn(4, 4, requires_grad=True)
    loss = F.cross_entropy(cls, torch.full((4, ), 3), reduction='sum') - (1 / (1 + box.exp().sum(1))).sum()
    assert clamped(loss, [cls, box], [-1, -1]).clamped


def test_outputs_coupled_to_each_other_go_through_the_graph():
    a, b = (torch.randn(3, 2, dtype=torch.double, requires_grad=True) for _ in range(2))
    c = torch.randn(3, 2, dtype=torch.double, requires_grad=True)
    found = clamped((a * b).square().sum() + c.pow(4).sum(), [a, b, c], [-1] * 3)
    assert not found.clamped
    H = torch.func.hessian(lambda z: (z[0] * z[1]).square().sum())(torch.stack([a, b]).detach()).reshape(12, 12)
    u = torch.randn(3, 3, 2, dtype=torch.double)
    product = found.product(list(u))
    torch.testing.assert_close(torch.cat([p.flatten() for p in product[:2]]), H @ u[:2].flatten())
    torch.testing.assert_close(product[2], 12 * c.detach().square() * u[2])


def test_wide_outputs_go_through_the_graph_and_narrow_ones_are_still_clamped():
    z = torch.randn(2, 200, dtype=torch.double, requires_grad=True)
    y = torch.randn(2, 3, dtype=torch.double, requires_grad=True)
    found = clamped(-z.logsumexp(1).sum() - y.pow(4).sum(), [z, y], [-1, -1])
    assert not found.clamped
    wide, narrow = found.product([torch.ones_like(z), torch.ones_like(y)])
    assert wide.abs().max() < 1e-12  # softmax: constant shifts change nothing
    assert not narrow.any()  # all of it was negative


def test_a_linear_loss_has_none():
    z = torch.randn(2, 3, requires_grad=True)
    assert OutputHessian(z.sum(), [z], [-1]).product([torch.ones_like(z)]) == [None]


@pytest.mark.parametrize('at_once', [1, 3, 1000])
def test_matrices_are_clamped_in_pieces_as_all_at_once(monkeypatch, at_once):
    torch.manual_seed(0)
    box = torch.randn(7, 4, requires_grad=True)

    def product():
        return clamped(-(1 / (1 + box.exp().sum(1))).sum(), [box], [-1]).product([torch.ones_like(box)])[0]

    expected = product()
    monkeypatch.setattr(output_hessian, 'MAX_MATRICES', at_once)
    assert torch.equal(product(), expected)


def test_wrong_eigenvectors_of_a_device_are_found_again_by_lapack(monkeypatch):
    matrices = torch.randn(5, 3, 3)
    matrices = matrices + matrices.mT
    expected, right = output_hessian._psd_part(matrices), torch.linalg.eigh

    def wrong_in_float32(matrix):
        values, vectors = right(matrix)
        if matrix.dtype == torch.float32:
            vectors = vectors.clone()
            vectors[2] = vectors[2] * 0.5
        return values, vectors

    monkeypatch.setattr(torch.linalg, 'eigh', wrong_in_float32)
    torch.testing.assert_close(output_hessian._psd_part(matrices), expected, rtol=1e-4, atol=1e-4)
    monkeypatch.setattr(torch.linalg, 'eigh', lambda matrix: (right(matrix)[0], right(matrix)[1] * 0.5))
    with pytest.raises(FloatingPointError, match='do not give these back'):
        output_hessian._psd_part(matrices)
