import pytest
import torch
from mmal.adapters.base import PseudoLabels
from mmal.adapters.classification.model import ClassificationAdapter
from mmal.influence.parameters import select_parameters
from mmal.samplers.algorithms.count_sketch import count_sketch
from mmal.samplers.algorithms.kmeans_pp import kmeans_pp
from mmal.samplers.badge import BadgeSampler

from tests.adapters.classification.test_model import item
from tests.adapters.models_under_test import build_classifier


def test_a_sketch_keeps_inner_products_on_average():
    g = torch.randn(6, 5000, generator=torch.Generator().manual_seed(0))
    exact, found = g @ g.T, torch.stack([(s := count_sketch(g, 300, seed)) @ s.T for seed in range(200)])
    error = (found.mean(0) - exact).abs() / (found.std(0) / 200**0.5)
    assert error.max() < 4.5
    assert torch.equal(count_sketch(g, 5000, 0), g)


def test_the_longest_first_then_far_ones_by_squared_distance():
    points = torch.tensor([[0.0], [1.0], [-4.0], [2.0]])
    chosen, distance = kmeans_pp(points, 2, seed=0)
    assert chosen[0] == 2
    assert distance.tolist() == [min((x - points[i, 0].item())**2 for i in chosen) for x in points[:, 0].tolist()]
    seconds = torch.tensor([kmeans_pp(points, 2, seed)[0][1] for seed in range(3000)])
    share = torch.bincount(seconds, minlength=4) / 3000
    assert share.tolist() == pytest.approx([16 / 77, 25 / 77, 0, 36 / 77], abs=0.03)


def test_copies_are_drawn_last_and_each_once():
    points = torch.tensor([[1.0, 0], [1, 0], [0, 2], [1, 0]])
    for seed in range(20):
        chosen, _ = kmeans_pp(points, 4, seed)
        assert sorted(chosen) == [0, 1, 2, 3]
        assert chosen[0] == 2


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
