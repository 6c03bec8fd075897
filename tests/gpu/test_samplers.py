"""Every sampler of the contract on a GPU gives what it gives on the processor."""

import math

import pytest

from mmal.registry import SAMPLERS
from tests.contracts.test_samplers import CASES, name_of
from tests.sampler_fixtures import ranking

OWN_NOISE = ('mmal.LocalizationStabilitySampler', )
"""Samplers whose noise is drawn on the device: its random numbers are others than the processor's."""

# Rounding may put a box of one image on the other side of a threshold (NMS, score_thr, the grid of pseudo-boxes). Its
# score then differs by percents, and all others must not.
RTOL = 2e-3
ODD_IMAGES = 1


@pytest.fixture(params=CASES, ids=name_of)
def case(request):
    return request.param


def test_scores_on_the_device_are_those_of_the_processor(case, ask, world, device):
    sampler = SAMPLERS.build(case[1])
    expected = ask(sampler)
    world.model.to(device)
    found = ask(sampler)
    again = ask(sampler)
    assert found.value == pytest.approx(again.value, rel=RTOL, abs=1e-5)
    assert sorted(found.value) == sorted(expected.value)
    assert all(map(math.isfinite, found.value.values()))
    assert sorted(ranking(found)) == sorted(found.value)
    assert len(found.order) == len(expected.order)
    if case[1]['type'] in OWN_NOISE:
        return
    odd = [i for i, value in found.value.items() if value != pytest.approx(expected.value[i], rel=RTOL, abs=1e-5)]
    # Where a set is chosen together, another first choice changes the distances of all others.
    assert len(odd) <= (len(found.value) if found.order and found.order != expected.order else ODD_IMAGES), odd
    assert len(set(found.order) & set(expected.order)) >= len(expected.order) - 1
