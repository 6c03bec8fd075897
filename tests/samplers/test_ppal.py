import math

import pytest
import torch
from mmengine.structures import InstanceData

from mmal.samplers import PPALSampler
from mmal.samplers.kmedoids import kmedoids
from mmal.samplers.matching_similarity import matching_similarity
from mmal.samplers.ppal import difficulty_weight


def by_the_book(features, scores, labels):
    def one_way(a, b):
        total = 0.0
        for f, t, c in zip(features[a], scores[a], labels[a], strict=True):
            same = [torch.cosine_similarity(f, g, dim=0) for g, d in zip(features[b], labels[b], strict=True) if d == c]
            total += float(t) * (float(max(same)) if same else 0.0)
        return total / float(scores[a].sum()) if len(scores[a]) else 0.0

    n = len(features)
    return torch.tensor([[(one_way(a, b) + one_way(b, a)) / 2 for b in range(n)] for a in range(n)])


def test_matching_similarity_equals_its_formula(monkeypatch):
    from mmal.samplers import matching_similarity as module
    torch.manual_seed(0)
    sizes = (4, 1, 0, 6)
    features, scores = [torch.randn(n, 3) for n in sizes], [torch.rand(n) for n in sizes]
    labels = [torch.randint(3, (n, )) for n in sizes]
    for block in (1024, 2):
        monkeypatch.setattr(module, 'BLOCK', block)
        found = matching_similarity(features, scores, labels)
        torch.testing.assert_close(found, by_the_book(features, scores, labels), rtol=1e-5, atol=1e-6)
    assert found[2].abs().max() == 0
    assert found.diag()[[0, 1, 3]].tolist() == pytest.approx([1, 1, 1])


def test_medoids_are_the_middles_of_clusters():
    x = torch.tensor([0.0, 1, 2, 10, 11, 12, 50])
    distance = (x[:, None] - x[None]).abs()
    for first in range(7):
        assert sorted(kmedoids(distance, 3, first)) == [1, 4, 6]
    assert kmedoids(distance, 9) == list(range(7))
    assert len(set(kmedoids(torch.zeros(5, 5), 3))) == 3, 'copies, too, are chosen once'


def test_weight_of_a_class_rises_with_its_difficulty():
    w = difficulty_weight(torch.tensor([0.0, 0.5, 1.0], dtype=torch.double), alpha=0.3, upper=0.2)
    assert w[0] == 1
    assert float(w[2]) == pytest.approx(1.2)
    assert float(w[1]) == pytest.approx(1 + 0.06 * math.log(1 + (math.exp(1 / 0.3) - 1) / 2))


def test_quality_of_the_best_prediction_of_the_same_class():
    truth = InstanceData(bboxes=torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30], [50, 50, 60, 60]]),
                         labels=torch.tensor([0, 1, 1]))
    found = InstanceData(bboxes=torch.tensor([[0.0, 0, 10, 5], [20, 20, 30, 30], [20, 20, 30, 30]]),
                         scores=torch.tensor([0.8, 0.9, 0.4]), labels=torch.tensor([0, 0, 1]))
    quality = PPALSampler(xi=0.6)._quality(truth, found)
    assert quality.tolist() == pytest.approx([0.8**0.6 * 0.5**0.4, 0.4**0.6, 0], rel=1e-6)
    assert PPALSampler()._quality(truth, found[:0]).tolist() == [0, 0, 0]


def test_settings_out_of_range():
    with pytest.raises(ValueError, match='PPALSampler'):
        PPALSampler(alpha=0)
