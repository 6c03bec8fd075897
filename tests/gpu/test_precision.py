"""What a user may have switched on, TF32 and autocast, leaves scores and s_test what they are."""

import pytest
import torch

from mmal.adapters.base import PseudoLabels
from mmal.influence.api import mean_gradient
from mmal.influence.parameters import restrict_grad, select_parameters
from tests.gpu.test_adapters import adapter_and_items


@pytest.fixture
def tf32():
    """Allow TF32 everywhere, as users do, and restore what was allowed."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.fixture
def no_tf32():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def v_and_scores(name, device):
    adapter, labeled, unlabeled = adapter_and_items(name, device)
    params = select_parameters(adapter.model, adapter.last_layers(labeled))
    with adapter.loss_mode(), restrict_grad(adapter.model, params):
        v = mean_gradient(adapter.losses, [labeled], params)
        scores, counts = adapter.pseudo_derivative(unlabeled, [2, 3, 4, 5], params, v, PseudoLabels(score_thr=0.05))
    return v, scores, counts


@pytest.mark.parametrize('name', ['fcos', 'retinanet', 'faster_rcnn', 'detr', 'resnet'])
def test_tf32_that_a_user_allows_changes_nothing(name, device, no_tf32, request):
    """TF32 has 10 bits of mantissa: it would change v by about 1e-3, and two runs in float32 differ by 1e-5."""
    expected = v_and_scores(name, device)
    request.getfixturevalue('tf32')
    found = v_and_scores(name, device)
    assert torch.backends.cudnn.allow_tf32, 'what the user allowed is restored'
    assert torch.backends.cuda.matmul.allow_tf32
    size = float(expected[0].abs().max())
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=1e-5 * size)
    torch.testing.assert_close(found[1], expected[1], rtol=1e-4, atol=1e-5 * float(expected[1].abs().max()))
    assert found[2] == expected[2]


@pytest.mark.parametrize('name', ['fcos', 'faster_rcnn', 'resnet'])
def test_a_surrounding_autocast_changes_nothing(name, device):
    expected = v_and_scores(name, device)
    with torch.autocast(device.type, torch.bfloat16):
        found = v_and_scores(name, device)
    assert found[0].dtype == found[1].dtype == torch.float32
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=1e-5 * float(expected[0].abs().max()))
    assert found[2] == expected[2]
