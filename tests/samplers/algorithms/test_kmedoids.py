import pytest
import torch

from mmal.samplers.algorithms.kmedoids import kmedoids


@pytest.mark.parametrize('cells', [2**25, 6])
def test_medoids_are_the_middles_of_clusters(cells, monkeypatch):
    from mmal.samplers.algorithms import kmedoids as module
    monkeypatch.setattr(module, 'CELLS', cells)
    x = torch.tensor([0.0, 2, 1, 10, 11, 12, 50])
    distance = (x[:, None] - x[None]).abs()
    for first in range(7):
        assert sorted(kmedoids(distance, 3, first)) == [2, 4, 6]
    assert kmedoids(distance, 9) == list(range(7))
    assert len(set(kmedoids(torch.zeros(5, 5), 3))) == 3, 'copies, too, are chosen once'
