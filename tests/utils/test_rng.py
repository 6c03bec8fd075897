"""Contexts of random numbers leave the generators as they were."""

import random

import numpy as np
import pytest
import torch

from mmal.utils.rng import keyed_rng, preserve_rng_state, seed_of, seeded_rng


def draw():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


@pytest.mark.parametrize('context', [preserve_rng_state, lambda: seeded_rng(3)])
def test_what_is_drawn_within_changes_nothing_afterwards(context):
    with seeded_rng(0):
        expected = draw()
    with seeded_rng(0):
        with context():
            draw()
        assert draw() == expected


def test_a_key_seeds_torch_alone():
    with seeded_rng(0):
        first = draw()
    with seeded_rng(0), keyed_rng('a.png'):
        within = draw()
        assert within[:2] == first[:2]
        assert within[2] != first[2]
    with seeded_rng(1), keyed_rng('a.png'):
        assert draw()[2] == within[2]
    with seeded_rng(1), keyed_rng('b.png'):
        assert draw()[2] != within[2]


def test_torch_is_restored_after_a_key():
    with seeded_rng(0):
        expected = torch.rand(2)
    with seeded_rng(0):
        with keyed_rng(7):
            torch.rand(5)
        assert torch.equal(torch.rand(2), expected)


def test_the_seed_of_a_key_never_changes():
    assert seed_of('a.png') == 890374015
    assert seed_of(7) == seed_of('7')
