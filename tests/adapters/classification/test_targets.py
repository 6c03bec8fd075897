import torch
from mmpretrain.structures import DataSample

from mmal.adapters.classification.targets import item_targets


def test_an_index_several_indices_and_scores():
    samples = [DataSample().set_gt_label(2), DataSample().set_gt_label([0, 1]),
               DataSample().set_gt_score(torch.tensor([1.0, 0.0, 1.0]))]
    targets = item_targets([dict(data_samples=sample) for sample in samples], 3)
    assert targets.tolist() == [[0, 0, 1], [1, 1, 0], [1, 0, 1]]
