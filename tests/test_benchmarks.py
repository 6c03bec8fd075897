"""Benchmarks are run by hand; that they still run is worth a moment."""

import pytest

from benchmarks import coreset
from benchmarks.run import table, verdict
from benchmarks.scoring_pass import passes


@pytest.mark.slow
def test_seconds_and_memory_of_scoring_are_measured_in_each_process():
    found = passes(2, 8)
    assert len(found) == 2
    for seconds, mib in found:
        assert seconds > 0
        assert 100 < mib < 20000


def test_memory_of_coreset_is_measured():
    peak, seconds = coreset.measure(600, labeled=50, chosen=20)
    assert 100 < peak < 20000
    assert seconds > 0


def test_a_ratio_is_judged_by_its_target():
    assert [verdict(r, t) for r, t in ((1.05, '<= 1.10'), (1.2, '<= 1.10'), (9.0, '>= 10'), (1.0, '0.95 to 1.05'),
                                       (None, '>= 10'), (3.0, 'none'))] == ['yes', 'NO', 'NO', 'yes', '-', '-']
    assert '| x | 1.50 | <= 2 | yes | 5 |' in table([dict(name='x', ratio=1.5, target='<= 2', n=5)])
