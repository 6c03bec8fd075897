import math

import pytest
import scipy.stats
import torch

from mmal.samplers.uncertainty import (
    EntropySampler,
    LeastConfidenceSampler,
    MarginSampler,
    entropy,
    least_confidence,
    small_margin,
)

P = torch.tensor([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]], dtype=torch.double)


def test_the_three_measures():
    assert entropy(P).tolist() == pytest.approx(list(scipy.stats.entropy(P.numpy(), axis=1)))
    assert small_margin(P).tolist() == pytest.approx([0.5, 0.0, 1.0])
    assert least_confidence(P).tolist() == pytest.approx([0.3, 0.0, 2 / 3])


@pytest.mark.parametrize(('aggregate', 'expected'), [('sum', 1.5), ('mean', 0.5), ('max', 1.0)])
def test_boxes_are_aggregated_and_none_is_no_uncertainty(aggregate, expected):
    sampler = MarginSampler(aggregate)
    assert sampler._score_image(P) == pytest.approx(-expected)
    assert sampler._score_image(P[:0]) == 0.0


def test_entropy_of_a_box_is_that_of_there_or_not():
    boxes = torch.tensor([[0.5, 0.5], [0.9, 0.1]])
    expected = -(math.log(2) + scipy.stats.entropy([0.9, 0.1]))
    assert EntropySampler()._score_image(boxes) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('kind', [EntropySampler, MarginSampler, LeastConfidenceSampler])
@pytest.mark.parametrize('bad', [dict(aggregate='median'), dict(score_thr=2)])
def test_settings_out_of_range(kind, bad):
    with pytest.raises(ValueError, match=kind.__name__):
        kind(**bad)
