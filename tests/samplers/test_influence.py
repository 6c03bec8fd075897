from contextlib import nullcontext

import pytest
import torch

from mmal.samplers import InfluenceSampler
from tests.contracts.test_samplers import ask  # noqa: F401


def test_pseudo_boxes_follow_the_threshold(ask):  # noqa: F811
    loose, strict = (ask(InfluenceSampler(score_thr=t)) for t in (0.005, 1.0))
    assert max(loose.pseudo_boxes.values()) > 0
    assert set(strict.pseudo_boxes.values()) == {0}
    assert all(v != 0 for v in strict.value.values()), 'background has a gradient, too'


def test_a_broken_image_is_named_and_the_rest_scored(ask, dataset):  # noqa: F811
    (dataset / 'set_003.png').write_bytes(b'x')
    scores = ask(InfluenceSampler())
    assert list(scores.unreadable) == [3]
    assert sorted(scores.value) == [i for i in range(1, 15) if i != 3]


def test_threshold_out_of_range():
    with pytest.raises(ValueError, match='score_thr'):
        InfluenceSampler(score_thr=1.5)


def test_the_sign_more_negative_is_more_helpful(ask):  # noqa: F811
    """I(z) = -s_test . G_z: an image whose gradient lies along s_test lowers the reference loss when trained on."""

    class Task:
        model = torch.nn.ModuleDict(dict(bbox_head=torch.nn.Linear(1, 1)))

        def loss_mode(self):
            return nullcontext()

        def pseudo_derivative(self, items, image_ids, params, direction, rule):
            return direction.sum() * torch.tensor([float(i) for i in image_ids]), [0] * len(items)

    s_test = {'bbox_head.weight': torch.full((1, 1), 2.0)}
    scores = ask(InfluenceSampler(), ids=[3, 5], s_test=s_test, task=Task)
    assert scores.value == {3: -6.0, 5: -10.0}
