"""Every sampler on an accelerator: the choice is whole, finite, and that of the CPU."""

import math

import pytest
import torch

from mmal.registry import SAMPLERS
from tests.contracts.test_samplers import CASES, name_of
from tests.sampler_fixtures import ranking

OTHER_NUMBERS_ON_A_GPU = ('mmal.LocalizationStabilitySampler', )
"""Samplers that draw numbers on the device; the fake one draws those of the CPU."""


@pytest.fixture(params=CASES, ids=name_of)
def case(request):
    return request.param


def test_the_device_chooses_what_the_cpu_chooses(accelerator, case, ask, world, ids):
    sampler = SAMPLERS.build(case[1])
    expected = ask(sampler)
    world.model.to(accelerator.device)
    found = ask(sampler)
    assert all(parameter.is_cuda for parameter in world.model.parameters())
    assert sorted(found.value) == sorted(expected.value) == ids[3:]
    assert all(math.isfinite(value) for value in found.value.values())
    if accelerator.kind == 'fake':
        assert found.value == pytest.approx(expected.value, rel=1e-4, abs=1e-5)
        assert ranking(found) == ranking(expected)
    elif case[1]['type'] not in OTHER_NUMBERS_ON_A_GPU:
        size = max(abs(value) for value in expected.value.values())
        assert found.value == pytest.approx(expected.value, rel=2e-2, abs=1e-2 * size)


# Near-copies are looked for in labeled images, too, whose batches are others.
PLAIN = dict(max_cosine=None)
ONE_KIND = [('detection', dict(type='mmal.InfluenceSampler', score_thr=0.005, **PLAIN)),
            ('detection', dict(type='mmal.EntropySampler', score_thr=0.005, **PLAIN)),
            ('detection', dict(type='mmal.LocalizationStabilitySampler', score_thr=0.005, levels=(8, 32), **PLAIN)),
            ('classification', dict(type='mmal.InfluenceSampler', top_k=2, **PLAIN)),
            ('classification', dict(type='mmal.EntropySampler', **PLAIN)),
            ('classification', dict(type='mmal.LearningLossSampler', **PLAIN)),
            ('classification', dict(type='mmal.BadgeSampler'))]


class TestTransfers:
    """Between host and device, in lines of mmal: their number depends on batches, not on images."""

    @pytest.fixture(params=ONE_KIND, ids=name_of)
    def case(self, request):
        return request.param

    def test_are_as_many_for_batches_of_two_as_for_batches_of_four(self, accelerator, case, ask, world, ids):
        """Two batches each; the first pass settles what is found out once."""
        sampler = SAMPLERS.build(case[1])
        world.model.to(accelerator.device)
        adapter = ask.adapter()
        settings = dict(adapter=lambda: adapter, budget=1)
        ask(sampler, ids[3:11], batch_size=4, **settings)
        ask(sampler, ids[3:11], batch_size=4, **settings)
        with accelerator.own_transfers() as of_two:
            ask(sampler, ids[3:7], batch_size=2, **settings)
        with accelerator.own_transfers() as of_four:
            ask(sampler, ids[3:11], batch_size=4, **settings)
        assert of_two, 'the counter counts'
        assert of_four == of_two


def test_the_counter_sees_a_transfer_an_image(accelerator):
    """An own line of mmal that waits for each element."""
    from mmal.adapters.predictions import top_labels
    rows = torch.rand(3, 5, device=accelerator.device)
    with accelerator.own_transfers() as counter:
        for row in rows:
            top_labels(row)
    assert sum(counter.values()) == 2 * len(rows)
