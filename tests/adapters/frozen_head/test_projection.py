import torch

from mmal.adapters.frozen_head.projection import Projection


def test_mean_zero_mean_square_one_and_distances_kept():
    features = 5 + 3 * torch.randn(40, 6, dtype=torch.double)
    projected = Projection.of(features, None)(features)
    assert projected.mean(0).abs().max() < 1e-5
    assert abs(float(projected.square().mean()) - 1) < 1e-5
    ratio = torch.pdist(features) / torch.pdist(projected.double())
    assert ratio.std() / ratio.mean() < 1e-5


def test_components_are_those_of_largest_variance():
    torch.manual_seed(0)
    features = torch.randn(200, 5) * torch.tensor([1.0, 10.0, 0.1, 5.0, 0.2]) + 2
    projection = Projection.of(features, 2)
    assert set(projection.basis.abs().argmax(0).tolist()) == {1, 3}
    projected = projection(features)
    assert projected.shape == (200, 2)
    assert abs(float(projected.square().mean()) - 1) < 1e-5
    assert abs(float((projected[:, 0] * projected[:, 1]).mean())) < 1e-5
    assert (projection.basis.max(0).values.abs() >= projection.basis.min(0).values.abs()).all(), 'a fixed sign'


def test_no_more_components_than_there_can_be():
    features = torch.randn(4, 9)
    assert Projection.of(features, 6).basis is None
    assert Projection.of(features, 6)(features).shape == (4, 9)


def test_equal_features_stay_finite():
    projected = Projection.of(torch.ones(3, 4), 2)(torch.ones(3, 4))
    assert torch.isfinite(projected).all()
