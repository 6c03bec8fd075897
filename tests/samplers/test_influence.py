import pytest
import torch

from mmal.artifacts import load_tensors
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


def test_the_sign_more_negative_is_more_helpful(ask, tmp_path):  # noqa: F811
    """With s_test = G_z of an image, its influence is -|G_z|^2: a step on it lowers the reference loss."""
    sampler, bias = InfluenceSampler(score_thr=0.005), 'bbox_head.conv_cls.bias'
    ask(sampler)
    zero = {n: torch.zeros_like(t) for n, t in load_tensors(tmp_path / 's_test.pth').items()}

    def influence(direction):
        return ask(sampler, ids=[5], s_test={**zero, bias: direction}).value[5]

    gradient = -torch.tensor([influence(unit) for unit in torch.eye(2)])
    assert influence(gradient) == pytest.approx(-float(gradient @ gradient), rel=1e-4)
    assert influence(gradient) < 0
