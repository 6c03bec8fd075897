import pytest
import torch

from mmal.samplers.localization_stability import LocalizationStabilitySampler, stability

BOXES = torch.tensor([[0.0, 0, 10, 10], [20, 20, 40, 40]])


def test_nothing_moves_or_nothing_is_there():
    scores = torch.tensor([0.9, 0.2])
    assert stability(BOXES, scores, [BOXES, BOXES.flip(0)]) == pytest.approx(1.0)
    assert stability(BOXES[:0], scores[:0], [BOXES]) == 1.0
    assert stability(BOXES, scores, [BOXES[:0]]) == 0.0


def test_mean_over_levels_weighted_by_confidence():
    moved = torch.tensor([[0.0, 0, 10, 5], [20, 20, 40, 40]])  # the first overlaps by a half
    found = stability(BOXES, torch.tensor([0.75, 0.25]), [moved, moved[1:]])  # and is lost at the second level
    assert found == pytest.approx((0.75 * (0.5 + 0) / 2 + 0.25 * 1) / 1)


def test_noise_belongs_to_image_level_and_seed():
    sample = dict(inputs=torch.full((3, 8, 8), 100, dtype=torch.uint8), data_samples='kept')
    noisy = LocalizationStabilitySampler._noisy
    assert torch.equal(noisy(sample, 0, 7, 8)['inputs'], noisy(sample, 0, 7, 8)['inputs'])
    for other in (noisy(sample, 1, 7, 8), noisy(sample, 0, 8, 8), noisy(sample, 0, 7, 16)):
        assert not torch.equal(noisy(sample, 0, 7, 8)['inputs'], other['inputs'])
    many = noisy(dict(inputs=torch.full((3, 200, 200), 128)), 0, 7, 16)['inputs']
    assert float(many.std()) == pytest.approx(16, rel=0.03)
    assert sample['inputs'].max() == 100


@pytest.mark.parametrize('bad', [dict(levels=()), dict(levels=(0, 8)), dict(score_thr=-1)])
def test_settings_out_of_range(bad):
    with pytest.raises(ValueError, match='LocalizationStabilitySampler'):
        LocalizationStabilitySampler(**bad)


class TestOnAClassifier:

    @pytest.fixture
    def case(self):
        return 'classification', dict(type='mmal.LocalizationStabilitySampler')

    def test_is_refused(self, ask):
        with pytest.raises(ValueError, match='for detectors'):
            ask(LocalizationStabilitySampler())
