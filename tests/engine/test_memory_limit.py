"""memory_gb of StestHook beside what a GPU has left; the numbers are given, so no GPU is needed."""

import logging
import math

import pytest
import torch

from mmal.engine import memory_limit
from mmal.engine.memory_limit import cache_limit, fitting_bytes
from mmal.errors import InputError

GIB = 2**30
CUDA = torch.device('cuda')


@pytest.mark.parametrize(('wanted_gb', 'free', 'passing', 'expected'), [
    (4, 20 * GIB, 2 * GIB, 4 * GIB),
    (4, 5 * GIB, 2 * GIB, 3 * GIB),
    (0.01, GIB, GIB - 2**25, 0.01 * GIB),
    (4, 3 * GIB, 3 * GIB - 64 * 2**20, 64 * 2**20)])
def test_what_fits_is_taken_and_a_pass_keeps_its_room(wanted_gb, free, passing, expected):
    assert fitting_bytes(wanted_gb, free, passing) == expected


@pytest.mark.parametrize(('wanted_gb', 'free', 'passing'), [(4, 2 * GIB, 2 * GIB), (4, GIB, 2 * GIB), (0.01, 2**20, 0)])
def test_next_to_nothing_is_refused_with_the_cure(wanted_gb, free, passing):
    with pytest.raises(InputError, match=r'memory_gb.*found .* GiB free .* Lower StestHook.batch_size.*--resume'):
        fitting_bytes(wanted_gb, free, passing)


def test_a_lowered_limit_is_said(monkeypatch, caplog):
    monkeypatch.setattr(memory_limit, 'free_bytes', lambda device: 3 * GIB)
    monkeypatch.setattr(memory_limit, 'passing_bytes', lambda: GIB)
    log = logging.getLogger('memory_limit')
    assert cache_limit(1, CUDA, log) == GIB
    assert not caplog.records
    assert cache_limit(4, CUDA, log) == 2 * GIB
    assert 'memory_gb = 4, but the GPU has 2.00 GiB left' in caplog.text


def test_on_a_processor_memory_gb_alone_counts():
    assert cache_limit(4, torch.device('cpu'), logging.getLogger()) == math.inf
