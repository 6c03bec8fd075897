"""Uncertainty Herding against the formula with the whole kernel, and its temperature."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from mmal.adapters import build_data_adapter
from mmal.adapters.frozen_head.logistic_regression import LogisticRegression
from mmal.adapters.frozen_head.model import FrozenHeadAdapter
from mmal.samplers import herding
from mmal.samplers.herding import HerdingSampler
from mmal.samplers.temperature import at_temperature, fit_temperature
from tests.adapters.classification.test_model import item
from tests.adapters.models_under_test import build_classifier
from tests.sampler_fixtures import ranking


@pytest.fixture
def case():
    return 'classification', dict(type='mmal.HerdingSampler', uncertainty=True)


def items_of(dataset):
    return [dataset[row] for row in range(len(dataset))]


def test_equals_the_formula_with_the_whole_kernel(world, ask, ids):
    """U is the margin at the temperature of the least loss on the reference set, 0 for what is trained on."""
    adapter, data = ask.adapter(), build_data_adapter(world.cfg)
    pool = items_of(data.reference_dataset('val'))
    outputs = adapter.features(pool) @ world.model.head.fc.weight.T
    lead = outputs[:, 1] - outputs[:, 0]
    with torch.no_grad():
        # Neither class is preferred, and most images are far from the boundary.
        world.model.head.fc.bias.copy_(torch.tensor([float(lead.median()), 0]))
        for parameter in world.model.head.fc.parameters():
            parameter *= 10 / lead.std()
    guessed = torch.cat(adapter.probabilities(pool)).argmax(1).tolist()
    world._write('reference.txt', lambda i: guessed[i] if i % 4 else 1 - guessed[i])
    reference = build_data_adapter(world.cfg).reference_dataset('val')
    log_p = torch.cat(adapter.probabilities(pool)).double().log()
    truth = torch.tensor(data.image_labels(reference))

    def loss(log_t):
        return float(torch.nn.functional.cross_entropy(log_p / np.exp(log_t), truth))

    temperature = float(np.exp(minimize_scalar(loss, bounds=(np.log(0.5), np.log(20)), method='bounded').x))
    assert 1.5 < temperature < 19, 'this model is too sure of itself'
    p = (log_p / temperature).softmax(1).sort(1).values
    uncertainty = 1 - (p[:, -1] - p[:, -2])
    labeled = [0, 1, 2]
    uncertainty[labeled] = 0
    assert uncertainty[3:].max() > 1.2 * uncertainty[3:].min(), 'they count differently'
    x = torch.nn.functional.normalize(adapter.features(pool).double(), dim=1)
    radius = torch.pdist(x[labeled]).min()
    kernel = torch.exp(-(torch.cdist(x, x) / radius) ** 2)
    covered, chosen, gains = kernel[labeled].amax(0), [], {}
    for _ in range(4):
        gain = (uncertainty * (kernel - covered).clamp(min=0)).mean(1)
        gain[labeled + chosen] = -1
        chosen.append(int(gain.argmax()))
        gains[ids[chosen[-1]]] = -float(gain.max())
        covered = torch.maximum(covered, kernel[chosen[-1]])

    scores = ask(HerdingSampler(uncertainty=True), budget=4)
    assert scores.order == [ids[row] for row in chosen]
    assert {i: scores.value[i] for i in gains} == pytest.approx(gains, rel=1e-3)


def test_before_anything_is_labeled_it_is_max_herding(ask, ids):
    plain, uncertain = (ask(HerdingSampler(uncertainty=u), ids, labeled=[]) for u in (False, True))
    assert ranking(uncertain) == ranking(plain)
    assert uncertain.value == plain.value


def test_the_radius_is_the_arguments_until_two_different_images_are_labeled(ask, ids, monkeypatch):
    seen = []
    monkeypatch.setattr(herding, 'max_herding', lambda *args, original=herding.max_herding:
                        seen.append(args[4]) or original(*args))
    for labeled, held_out in ((ids[:1], []), (ids[:3], ids[:2])):
        ask(HerdingSampler(uncertainty=True, radius=0.3), labeled=labeled, held_out=held_out)
        assert seen.pop() == 0.3
    ask(HerdingSampler(uncertainty=True, radius=0.3), labeled=ids[:2])
    assert seen.pop() != 0.3


def test_without_a_reference_set_probabilities_stay_as_they_are(ask, monkeypatch):
    seen = []
    monkeypatch.setattr(herding, 'fit_temperature', lambda *args, original=herding.fit_temperature:
                        seen.append(original(*args)) or seen[-1])
    ask(HerdingSampler(uncertainty=True), reference_images=None)
    assert seen == [1.0]


def test_the_probabilities_of_a_refitted_head_are_calibrated_already():
    layer = LogisticRegression(np.eye(3), np.zeros(3), l2=1.0, temperature=4.0)
    adapter = FrozenHeadAdapter(layer, lambda rows: torch.eye(3)[list(rows)], lambda rows: torch.eye(3)[list(rows)])
    query = SimpleNamespace(adapter=lambda: adapter, reference_images=lambda: pytest.fail('nothing is to be fitted'),
                            logger=logging.getLogger())
    assert fit_temperature(query, None) == 1.0


@pytest.mark.parametrize('several', [False, True])
def test_probabilities_at_a_temperature_are_those_of_divided_outputs(several):
    outputs = torch.randn(5, 4, dtype=torch.double) * 3
    make = torch.sigmoid if several else lambda z: z.softmax(1)
    torch.testing.assert_close(at_temperature(make(outputs), 2.5, several), make(outputs / 2.5))
    sure = torch.tensor([[1.0, 0.0, 0.0]])
    assert bool(at_temperature(sure, 5.0, several).isfinite().all())


def test_uncertainty_of_several_labels_is_the_mean_over_the_classes():
    p = torch.tensor([[0.5, 0.9], [0.0, 1.0]])
    assert herding._uncertainty(p, True).tolist() == pytest.approx([0.6, 0.0])
    assert herding._uncertainty(torch.tensor([[0.5, 0.3, 0.2]]), False).tolist() == pytest.approx([0.8])


def test_the_classes_of_annotated_items():
    from mmal.adapters.classification.model import ClassificationAdapter
    adapter, one = ClassificationAdapter(build_classifier('resnet_cifar'), lambda text: None), item(0)
    one['data_samples'].set_gt_label(3)
    assert adapter.targets([one]).tolist() == [[0, 0, 0, 1, 0]]
    one['data_samples'].set_gt_label([0, 4])
    assert adapter.targets([one]).tolist() == [[1, 0, 0, 0, 1]]
    two = dict(one, data_samples=one['data_samples'].new())
    del two['data_samples'].gt_label
    two['data_samples'].set_gt_score(torch.tensor([0.0, 1, 1, 0, 0]))
    assert adapter.targets([two]).tolist() == [[0, 1, 1, 0, 0]]
