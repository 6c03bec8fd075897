import pytest

from mmal.samplers.coreset import CoresetSampler
from tests.sampler_fixtures import ranking


@pytest.fixture(params=['classification', 'detection'])
def case(request):
    return request.param, dict(type='mmal.CoresetSampler')


def test_labeled_images_that_are_held_out_are_no_centers(ask, ids):
    """No model learns from them, so that what lies around them is not covered."""
    held_out = ask(CoresetSampler(), held_out=ids[:2], labeled=ids[:3], batch_size=1)
    without = ask(CoresetSampler(), labeled=ids[2:3], batch_size=1)
    assert held_out.value == without.value
    assert ranking(held_out) == ranking(without)
    assert held_out.value != ask(CoresetSampler(), labeled=ids[:3], batch_size=1).value
