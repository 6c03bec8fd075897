import pytest
import torch

from mmal.samplers.algorithms.matching_similarity import matching_similarity


def by_the_book(features, scores, labels):
    """Object by object; one without a partner of its class counts -1."""
    def one_way(a, b):
        if not len(scores[a]):
            return -1.0 if len(scores[b]) else 1.0
        total = 0.0
        for f, t, c in zip(features[a], scores[a], labels[a], strict=True):
            same = [torch.cosine_similarity(f, g, dim=0) for g, d in zip(features[b], labels[b], strict=True) if d == c]
            total += float(t) * (float(max(same)) if same else -1.0)
        return total / float(scores[a].sum())

    n = len(features)
    return torch.tensor([[(one_way(a, b) + one_way(b, a)) / 2 for b in range(n)] for a in range(n)])


def test_matching_similarity_equals_its_formula(monkeypatch):
    from mmal.samplers.algorithms import matching_similarity as module
    torch.manual_seed(0)
    sizes = (4, 1, 0, 6, 0)
    features, scores = [torch.randn(n, 3) for n in sizes], [torch.rand(n) for n in sizes]
    labels = [torch.randint(3, (n, )) for n in sizes]
    for cells in (2**25, 4):
        monkeypatch.setattr(module, 'CELLS', cells)
        found = matching_similarity(features, scores, labels)
        torch.testing.assert_close(found, by_the_book(features, scores, labels), rtol=0, atol=1e-5)
    assert found[2].tolist() == [-1, -1, 1, -1, 1], 'without objects'
    assert found.diag().tolist() == pytest.approx([1] * 5)


def test_two_images_without_a_class_in_common_are_opposites():
    same = torch.ones(1, 3)
    found = matching_similarity([same, same], [torch.ones(1)] * 2, [torch.tensor([0]), torch.tensor([1])])
    assert found.tolist() == [[pytest.approx(1), -1], [-1, pytest.approx(1)]]
