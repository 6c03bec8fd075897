import torch

from mmal.influence.directional_derivative import agree, derivatives_along, output_derivative, outputs_and_tangents
from mmal.influence.parameters import gradient, unflatten
from tests.influence.problems import per_sample_derivatives


def test_derivatives_of_a_batch_along_a_direction_are_those_of_single_gradients():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()
    x, y = torch.randn(5, 3, dtype=torch.double), torch.tensor([0, 1, 1, 0, 1])
    params = dict(model.named_parameters())
    direction = torch.randn(sum(p.numel() for p in params.values()), dtype=torch.double)
    losses = torch.nn.functional.cross_entropy(model(x), y, reduction='none')
    expected = [gradient(loss, params, retain_graph=True) @ direction for loss in losses]
    found = derivatives_along(losses, params, direction)
    assert torch.allclose(found, torch.stack(expected))
    assert not found.requires_grad


def test_forward_mode_agrees_for_all_parameters(detector_head):
    head, feats, _, _ = detector_head
    params = dict(head.named_parameters())
    s = torch.randn(sum(p.numel() for p in params.values()), dtype=torch.double)
    output, tangent = outputs_and_tangents(head, (feats, ), unflatten(s, params))
    torch.testing.assert_close(output, head(feats))
    torch.testing.assert_close(tangent, per_sample_derivatives(head, feats, params, s), rtol=1e-10, atol=1e-12)
    squared = output_derivative(lambda out: out.square(), output, tangent)
    torch.testing.assert_close(squared, 2 * output * tangent)
    assert all(p.grad is None for p in head.parameters())


def test_agreement_is_on_the_scale_of_both_vectors():
    s = torch.tensor([3.0, 4.0])
    assert agree(torch.tensor(1.0), torch.tensor(1.004), s, 1.0)
    assert not agree(torch.tensor(1.0), torch.tensor(1.006), s, 1.0)
    assert agree(torch.tensor(torch.nan), torch.tensor(torch.nan), s, 1.0)
    assert not agree(torch.tensor(torch.nan), torch.tensor(1.0), s, 1.0)
