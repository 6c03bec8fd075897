import pytest
import torch

from mmal.adapters.base import PseudoLabels
from mmal.adapters.classification.model import ClassificationAdapter
from mmal.influence.parameters import select_parameters
from mmal.samplers.badge import BadgeSampler
from tests.adapters.classification.test_model import item
from tests.adapters.models_under_test import build_classifier


def test_of_a_classifier_it_is_the_papers_gradient_embedding():
    """(p - onehot of the most probable class) times the feature before the last layer."""
    model = build_classifier('resnet_cifar')
    adapter, items = ClassificationAdapter(model, lambda text: None), [item(i) for i in range(3)]
    params = select_parameters(model, ['head.fc.weight'])
    with adapter.loss_mode():
        found = adapter.pseudo_gradients(items, [0, 1, 2], params, PseudoLabels())
    p, h = torch.cat(adapter.probabilities(items)), adapter.features(items)
    expected = (p - torch.nn.functional.one_hot(p.argmax(1), 5))[:, :, None] * h[:, None]
    torch.testing.assert_close(found, expected.flatten(1), rtol=1e-4, atol=1e-6)


def test_settings_out_of_range():
    with pytest.raises(ValueError, match='BadgeSampler'):
        BadgeSampler(dim=0)
