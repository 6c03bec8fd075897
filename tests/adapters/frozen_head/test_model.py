"""The closed forms against autograd, and against the same layer as a classifier of mmpretrain."""

import pytest
import torch
import torch.nn.functional as F

from mmal.adapters.base import PseudoLabels
from mmal.adapters.frozen_head.data import FeatureTable, RowDataset
from mmal.adapters.frozen_head.logistic_regression import LogisticRegression, fit
from mmal.adapters.frozen_head.model import FrozenHeadAdapter
from mmal.influence.parameters import flatten, gradient

N, D, C = 12, 5, 4


@pytest.fixture(params=[False, True], ids=['one class', 'several classes'])
def several(request):
    return request.param


@pytest.fixture
def adapter(several):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(N, D, generator=generator)
    labels = torch.randint(0, C, (N,), generator=generator)
    targets = F.one_hot(labels, C).float()
    if several:
        targets = (torch.rand(N, C, generator=generator) < 0.5).float()
    table = FeatureTable(features, targets)
    layer = fit(features.double().numpy(), targets.double().numpy(), 0.5, several)
    adapter = FrozenHeadAdapter(layer, table.embed, table.targets_of)
    adapter.table = table
    return adapter


def test_losses_are_those_that_the_layer_was_fitted_with(adapter, several):
    """So their summed gradient and that of the penalty add up to zero."""
    params = dict(adapter.model.named_parameters())
    total = gradient(adapter.losses(range(N)).sum(), params) + adapter.l2 * flatten(params)
    assert total.abs().max() < 1e-3


@pytest.mark.parametrize('top_k', [1, 3])
@pytest.mark.parametrize('names', [['fc.weight', 'fc.bias'], ['fc.weight'], ['fc.bias']])
def test_pseudo_gradients_are_those_of_autograd(adapter, several, top_k, names):
    parameters = dict(adapter.model.named_parameters())
    params = {name: parameters[name] for name in names}
    rule = PseudoLabels(top_k=top_k)
    rows = [3, 0, 7]
    given = adapter.pseudo_gradients(rows, rows, params, rule)
    direction = torch.randn(given.shape[1], generator=torch.Generator().manual_seed(1))
    derivative, counts = adapter.pseudo_derivative(rows, rows, params, direction, rule)
    for place, row in enumerate(rows):
        outputs = adapter.model(adapter.table.embed([row]))
        if several:
            labels = (outputs.sigmoid() > 0.5).float().detach()
            loss = F.binary_cross_entropy_with_logits(outputs, labels, reduction='none').sum()
            assert counts[place] == int(labels.sum())
        else:
            p, classes = outputs.softmax(1)[0].detach().topk(top_k)
            weights = p if top_k > 1 else torch.ones(1)
            loss = sum(w * F.cross_entropy(outputs, c[None]) for w, c in zip(weights, classes, strict=True))
            assert counts[place] == top_k
        expected = gradient(loss, params)
        assert torch.allclose(given[place], expected, atol=1e-5)
        assert float(derivative[place]) == pytest.approx(float(expected @ direction), abs=1e-5)


def test_probabilities_are_tempered_and_losses_are_not(adapter, several):
    plain = torch.cat(adapter.probabilities(range(N)))
    loss = adapter.losses(range(N)).detach()
    adapter.temperature = 4.0
    softer = torch.cat(adapter.probabilities(range(N)))
    assert softer.max() < plain.max()
    assert torch.allclose(softer.sum(1), torch.ones(len(softer)))
    assert torch.equal(adapter.losses(range(N)).detach(), loss)


def test_features_and_predictions(adapter):
    assert torch.equal(adapter.features([2, 5]), adapter.table.features[[2, 5]])
    surest = adapter.predictions([4])[0]
    assert [p['score'] for p in surest] == sorted((p['score'] for p in surest), reverse=True)
    assert adapter.last_layers([]) == adapter.output_layers([]) == ['fc.weight', 'fc.bias']
    with adapter.loss_mode():
        pass


def test_a_dataset_gives_row_numbers():
    dataset = RowDataset([5, 3])
    assert len(dataset) == 2
    assert [dataset[0], dataset[1]] == [5, 3]
    assert LogisticRegression(torch.zeros(2, 3).numpy(), torch.zeros(2).numpy(), 1.0).probabilities(
        torch.zeros(1, 3).numpy()).tolist() == [[0.5, 0.5]]
